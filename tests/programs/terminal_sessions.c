// openpty, forkpty and login_tty from threads: the child leads a session of its own on the terminal, has threads of its own, and the
// parent talks with it. And a process in the background.
#include "check.h"
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <utmp.h>

static void* echo_line(void* argument) {
  char line[100];
  if (!fgets(line, sizeof line, stdin)) _exit(7);
  printf("child: terminal %d, leader %d, foreground %d: %s", isatty(0), getsid(0) == getpid(), tcgetpgrp(0) == getpid(), line);
  fflush(stdout);
  return argument;
}

static void read_until_end(int master) {
  char text[1000];
  size_t length = 0;
  ssize_t got;
  while ((got = read(master, text + length, sizeof text - 1 - length)) > 0) length += (size_t)got;
  CHECK(got == 0 || errno == EIO);  // the slave is gone
  text[length] = '\0';
  for (char* c = text; *c; c++) {
    if (*c != '\r') putchar(*c);
  }
}

static void finish(pid_t pid, int master) {
  int status;
  CHECK(write(master, "hello\n", 6) == 6);
  read_until_end(master);
  CHECK(waitpid(pid, &status, 0) == pid);
  printf("exit %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
  close(master);
}

static struct termios without_echo(void) {
  struct termios settings = {0};
  settings.c_iflag = ICRNL;
  settings.c_oflag = OPOST | ONLCR;
  settings.c_cflag = CREAD | CS8;
  settings.c_lflag = ICANON | ISIG;
  settings.c_cc[VEOF] = 4;
  settings.c_cc[VINTR] = 3;
  return settings;
}

static void* by_forkpty(void* argument) {
  struct termios settings = without_echo();
  struct winsize size = {.ws_row = 33, .ws_col = 77};
  int master;
  const pid_t pid = forkpty(&master, NULL, &settings, &size);
  CHECK(pid >= 0);
  if (pid == 0) {
    CHECK(ioctl(0, TIOCGWINSZ, &size) == 0 && size.ws_col == 77);
    join_thread(start_thread(echo_line, NULL));
    exit(11);
  }
  finish(pid, master);
  return argument;
}

static void* by_login_tty(void* argument) {
  struct termios settings = without_echo();
  int master, slave;
  CHECK(openpty(&master, &slave, NULL, &settings, NULL) == 0);
  const pid_t pid = fork();
  if (pid == 0) {
    close(master);
    CHECK(login_tty(slave) == 0);
    join_thread(start_thread(echo_line, NULL));
    exit(12);
  }
  close(slave);
  finish(pid, master);
  return argument;
}

static void* interrupted(void* argument) {
  struct termios settings = without_echo();
  int master, status;
  const pid_t pid = forkpty(&master, NULL, &settings, NULL);
  if (pid == 0) {
    start_thread(echo_line, NULL);
    puts("ready");
    for (;;) pause();
  }
  char text[20];
  CHECK(read(master, text, sizeof text) > 0);
  CHECK(write(master, "\003", 1) == 1);  // VINTR
  CHECK(waitpid(pid, &status, 0) == pid);
  printf("%s\n", WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "survived");
  close(master);
  return argument;
}

static void* wait_for_ever(void* argument) {
  for (;;) pause();
  return argument;
}

// A process in the background that changes its terminal is stopped, whether or not the call has to wait.
static void* in_background(void* argument) {
  int master, slave, status;
  CHECK(openpty(&master, &slave, NULL, NULL, NULL) == 0);
  const pid_t leader = fork();
  if (leader == 0) {
    CHECK(login_tty(slave) == 0);
    const pid_t pid = fork();
    if (pid == 0) {
      struct termios settings;
      CHECK(setpgid(0, 0) == 0);
      start_thread(wait_for_ever, NULL);
      CHECK(tcgetattr(0, &settings) == 0);
      CHECK(tcsetattr(0, TCSADRAIN, &settings) == 0);
      CHECK(tcdrain(0) == 0);
      exit(21);
    }
    CHECK(waitpid(pid, &status, WUNTRACED) == pid);
    const int stopped = WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU;
    CHECK(signal(SIGTTOU, SIG_IGN) != SIG_ERR && tcsetpgrp(0, pid) == 0);  // to the foreground
    CHECK(kill(pid, SIGCONT) == 0 && waitpid(pid, &status, 0) == pid);
    exit(stopped ? WEXITSTATUS(status) : 1);
  }
  close(slave);
  CHECK(waitpid(leader, &status, 0) == leader);
  printf("from the background: %d\n", WEXITSTATUS(status));
  close(master);
  return argument;
}

int main(void) {
  const int there = posix_openpt(O_RDWR | O_NOCTTY);
  if (there < 0) {
    puts("no pseudo-terminals here");
    return success();
  }
  close(there);
  join_thread(start_thread(by_forkpty, NULL));
  join_thread(start_thread(by_login_tty, NULL));
  join_thread(start_thread(interrupted, NULL));
  join_thread(start_thread(in_background, NULL));
  return success();
}
