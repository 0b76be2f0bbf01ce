// When main has ended by pthread_exit the process goes on: signals sent to it go to threads that are left, and those it blocked too.
#include "masks.h"

static volatile sig_atomic_t got;
static pthread_t runner;

static void handler(int number) { got = pthread_equal(pthread_self(), runner) ? number : -number; }

static void send_and_wait(int number) {
  got = 0;
  CHECK(kill(getpid(), number) == 0);
  while (!got) usleep(1000);
  printf("%s: %s\n", strsignal(number), got == number ? "in the thread that is left" : "elsewhere");
}

static void* work(void* argument) {
  runner = pthread_self();
  join_thread(*(pthread_t*)argument);
  send_and_wait(SIGUSR1);
  change_mask(SIG_UNBLOCK, SIGUSR2);
  send_and_wait(SIGUSR2);
  exit(success());
}

int main(void) {
  static pthread_t self;
  self = pthread_self();
  signal(SIGUSR1, handler);
  signal(SIGUSR2, handler);
  change_mask(SIG_BLOCK, SIGUSR2);
  start_thread(work, &self);
  pthread_exit(NULL);
}
