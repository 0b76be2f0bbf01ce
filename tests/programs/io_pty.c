// Terminals: reads of the slave wait for a line, reads of the master for output; hang-up ends them.
#include "check.h"
#include <fcntl.h>
#include <pty.h>
#include <termios.h>

static int master, slave;
static void* read_lines(void* argument) {
  char line[100];
  for (int i = 0; i < 3; i++) {
    ssize_t got = read(slave, line, sizeof line);
    printf("slave read %zd: %.*s\n", got, (int)got - 1, line);
  }
  CHECK(write(slave, "answer", 6) == 6);
  return argument;
}

int main(void) {
  struct termios raw;
  CHECK(openpty(&master, &slave, NULL, NULL, NULL) == 0);
  CHECK(tcgetattr(slave, &raw) == 0);
  raw.c_lflag &= ~(tcflag_t)ECHO;
  CHECK(tcsetattr(slave, TCSANOW, &raw) == 0);
  pthread_t thread = start_thread(read_lines, NULL);
  let_others_run();
  const char text[] = "first\nsecond\nthird\n";
  for (const char* at = text; *at; at++) {
    CHECK(write(master, at, 1) == 1);
    sched_yield();
  }
  char answer[100];
  SHOW(read(master, answer, sizeof answer));
  join_thread(thread);
  CHECK(fcntl(slave, F_SETFL, O_NONBLOCK) == 0);
  SHOW(read(slave, answer, sizeof answer));
  CHECK(write(slave, "drained", 7) == 7);
  SHOW(read(master, answer, sizeof answer));
  SHOW(tcdrain(slave));
  SHOW(tcsetattr(slave, TCSADRAIN, &raw));
  SHOW(tcsetattr(slave, TCSAFLUSH, &raw));
  SHOW(tcsetattr(slave, 99, &raw));
  SHOW(tcsetattr(-1, TCSADRAIN, &raw));
  printf("isatty: %d %d\n", isatty(slave), isatty(0));
  CHECK(fcntl(slave, F_SETFL, 0) == 0);
  close(slave);
  SHOW(read(master, answer, sizeof answer));
  return success();
}
