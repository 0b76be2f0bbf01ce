// exec in a thread replaces the whole process, whatever the other threads are doing.
#include "check.h"
#include <fcntl.h>

static int ends[2];
static void* parked(void* argument) {
  char byte;
  CHECK(read(ends[0], &byte, 1) == 1);
  return argument;
}
static void* speak(void* text) {
  puts(text);
  return NULL;
}
static void* replace(void* argument) {
  char copy[20];
  snprintf(copy, sizeof copy, "%d", fcntl(ends[0], F_DUPFD, 100));
  execl("/proc/self/exe", "exec_self", argument, copy, (char*)NULL);
  puts("exec failed");
  return NULL;
}

int main(int argc, char** argv) {
  if (argc == 1) {
    CHECK(pipe(ends) == 0);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    for (int i = 0; i < 5; i++) start_thread(parked, NULL);
    let_others_run();
    CHECK(write(ends[1], "", 0) == 0);
    puts("before");
    join_thread(start_thread(replace, (void*)"again"));
    return 1;
  }
  int fd = atoi(argv[2]);
  printf("after: %s, the passed fd is %s\n", argv[1], fcntl(fd, F_GETFL) == O_RDONLY ? "as it was" : "changed");
  join_thread(start_thread(speak, (void*)"thread after exec"));
  return success();
}
