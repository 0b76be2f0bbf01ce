// Double fork as daemons do it: the grandchild, without a parent, runs threads and reports through a pipe.
#include "check.h"
#include <fcntl.h>
#include <sys/wait.h>

static int report[2];
static void* work(void* argument) {
  usleep(1000);
  return argument;
}

int main(void) {
  CHECK(pipe(report) == 0);
  for (int threaded = 0; threaded < 2; threaded++) {
    if (threaded) join_thread(start_thread(work, NULL));
    pid_t pid = fork();
    if (pid == 0) {
      CHECK(setsid() == getpid());
      if (fork() != 0) _exit(0);
      int null = open("/dev/null", O_RDWR);
      for (int i = 0; i < 3; i++) dup2(null, i);
      pthread_t threads[5];
      intptr_t sum = 0;
      for (intptr_t i = 0; i < 5; i++) threads[i] = start_thread(work, (void*)i);
      for (int i = 0; i < 5; i++) sum += (intptr_t)join_thread(threads[i]);
      dprintf(report[1], "daemon: %ld", (long)sum);
      _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    char text[100];
    ssize_t got = read(report[0], text, sizeof text);
    printf("%.*s\n", (int)got, text);
  }
  pid_t pid = fork();
  if (pid == 0) {
    if (daemon(1, 1) != 0) _exit(1);
    join_thread(start_thread(work, NULL));
    dprintf(report[1], "daemon()");
    _exit(0);
  }
  char text[100];
  ssize_t got = read(report[0], text, sizeof text);
  printf("%.*s\n", (int)got, text);
  CHECK(waitpid(pid, NULL, 0) == pid);
  return success();
}
