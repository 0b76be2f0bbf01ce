// quick_exit from a thread, in a child of fork and in the process itself: the handlers of at_quick_exit run, last first; those of
// atexit do not, nor do destructors of thread-specific data.
#include "check.h"
#include <sys/wait.h>

static pthread_key_t key;
static void first(void) { puts("registered first"); }
static void last(void) {
  usleep(1000);
  puts("registered last");
}
static void never(void) { puts("must not run"); }
static void never_for(void* value) {
  (void)value;
  never();
}

static void* leave(void* argument) {
  pthread_setspecific(key, argument);
  quick_exit((int)(intptr_t)argument);
}

static void* fork_and_leave(void* argument) {
  const pid_t child = fork();
  if (child == 0) {
    join_thread(start_thread(leave, (void*)3));
    _exit(1);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  printf("child: %d\nEXIT-SUCCESS\n", WEXITSTATUS(status));
  return leave(argument);
}

int main(void) {
  CHECK(pthread_key_create(&key, never_for) == 0);
  CHECK(atexit(never) == 0 && at_quick_exit(first) == 0 && at_quick_exit(last) == 0);
  join_thread(start_thread(fork_and_leave, (void*)4));
  return 1;
}
