// daemon() in a process whose threads have run: the child goes on without terminal or parent, in a session of its own, and starts
// threads again.
#include "check.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int report[2];

static void* work(void* argument) {
  usleep(1000);
  return argument;
}

static void* become_daemon(void* argument) {
  const pid_t before = getpid();
  CHECK(daemon(0, 0) == 0);
  for (int i = 0; i < 5; i++) CHECK(join_thread(start_thread(work, &report)) == &report);
  struct stat null, output;
  char directory[100];
  CHECK(stat("/dev/null", &null) == 0 && fstat(1, &output) == 0);
  dprintf(report[1], "another process %d, session %d, in / %d, output to null %d\n", getpid() != before, getsid(0) != getsid(before),
          getcwd(directory, sizeof directory) && !strcmp(directory, "/"), null.st_rdev == output.st_rdev);
  _exit(argument != NULL);
}

int main(void) {
  CHECK(pipe(report) == 0);
  join_thread(start_thread(work, NULL));
  const pid_t child = fork();
  if (child == 0) {
    join_thread(start_thread(become_daemon, NULL));
    _exit(1);
  }
  close(report[1]);
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  printf("parent ended with %d\n", WEXITSTATUS(status));
  char text[200];
  size_t length = 0;
  ssize_t got;
  while ((got = read(report[0], text + length, sizeof text - 1 - length)) > 0) length += (size_t)got;
  text[length] = '\0';
  fputs(text, stdout);
  return success();
}
