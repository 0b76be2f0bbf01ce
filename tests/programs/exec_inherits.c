// exec in a thread: the new program gets the descriptors that are not close-on-exec with their flags as the program set them, that
// thread's mask and its pending signals, what was ignored, the alarm, the environment, the directory and umask; and as after a failed
// exec nothing has changed.
#include "masks.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { first = 20 };
static int sockets[2], listener, gate[2];

static void* parked(void* argument) {
  char byte;
  return read(gate[0], &byte, 1) == 1 ? argument : NULL;
}
static void handler(int number) { (void)number; }

static void show(void) {
  for (int fd = 0; fd < first + 10; fd++) {
    const int flags = fcntl(fd, F_GETFL);
    if (flags != -1 && fd > 2) printf("descriptor %d: %s%s\n", fd, flags & O_NONBLOCK ? "non-blocking " : "", flags & O_APPEND ? "append" : "");
  }
  sigset_t mask, pending;
  sigprocmask(SIG_BLOCK, NULL, &mask);
  sigpending(&pending);
  for (int number = 1; number <= SIGRTMIN + 1; number++) {
    struct sigaction action;
    if (sigaction(number, NULL, &action) != 0) continue;
    if (sigismember(&mask, number) || sigismember(&pending, number) || action.sa_handler != SIG_DFL) {
      printf("signal %d:%s%s%s\n", number, sigismember(&mask, number) ? " blocked" : "",
             sigismember(&pending, number) ? " pending" : "",
             action.sa_handler == SIG_IGN ? " ignored" : action.sa_handler != SIG_DFL ? " handled" : "");
    }
  }
  siginfo_t info;
  sigset_t queued;
  sigemptyset(&queued);
  sigaddset(&queued, SIGRTMIN);
  const struct timespec at_once = {0, 0};
  while (sigtimedwait(&queued, &info, &at_once) > 0) printf("queued value %d\n", info.si_value.sival_int);
  char directory[100];
  printf("alarm %d, umask %o, directory %s, %s\n", alarm(0) > 0, umask(0), getcwd(directory, sizeof directory), getenv("GUV_TEST_WORD"));
}

static void* replace(void* program) {
  change_mask(SIG_BLOCK, SIGUSR1);
  change_mask(SIG_BLOCK, SIGUSR2);
  change_mask(SIG_BLOCK, SIGRTMIN);
  CHECK(pthread_kill(pthread_self(), SIGUSR1) == 0);
  for (int i = 1; i <= 3; i++) CHECK(pthread_sigqueue(pthread_self(), SIGRTMIN, (union sigval){.sival_int = i}) == 0);
  for (int fd = first; fd < first + 6; fd++) CHECK(dup2(fd % 2 ? sockets[0] : listener, fd) == fd);
  for (int fd = first; fd < first + 6; fd += 3) fcntl(fd, F_SETFD, FD_CLOEXEC);
  alarm(1000);
  umask(027);
  setenv("GUV_TEST_WORD", "a word", 1);
  CHECK(chdir("/") == 0);
  char* arguments[] = {(char*)"exec_inherits", (char*)"again", NULL};
  CHECK(execv("/no/such/program", arguments) == -1);
  printf("after a failed exec: %s\n", errno_name(errno));
  sigset_t mask, pending;
  pthread_sigmask(SIG_BLOCK, NULL, &mask);
  sigpending(&pending);
  printf("blocked %d %d, pending %d %d\n", sigismember(&mask, SIGUSR1), sigismember(&mask, SIGTERM), sigismember(&pending, SIGUSR1),
         sigismember(&pending, SIGRTMIN));
  execv(program, arguments);
  CHECK(!"exec came back");
  return NULL;
}

int main(int argc, char** argv) {
  if (argc > 1 && !strcmp(argv[1], "again")) {
    show();
    join_thread(start_thread(parked, (pipe(gate) || write(gate[1], "x", 1) != 1) ? NULL : gate));
    return success();
  }
  static char self[4096];
  CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
  int plain[2], nonblocking[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0 && pipe(plain) == 0 && pipe2(nonblocking, O_NONBLOCK) == 0);
  CHECK(pipe2(gate, O_CLOEXEC) == 0);
  listener = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(listener >= 0 && listen(listener, 5) == 0);
  fcntl(listener, F_SETFL, O_NONBLOCK);
  CHECK(open("appended", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) >= 0 && open("appended", O_WRONLY | O_APPEND) >= 0);
  signal(SIGHUP, SIG_IGN);
  signal(SIGTERM, handler);
  change_mask(SIG_BLOCK, SIGUSR2);
  for (int i = 0; i < 10; i++) start_thread(parked, NULL);
  start_thread(replace, self);
  for (;;) pause();
}
