// A call that can only be made by waiting (splice, sendfile, copy_file_range, a large write) raises SIGPIPE or SIGXFSZ like any other:
// for the thread that made it, with its mask; its handler has run when the call returns; by default the process dies.
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>

enum { by_splice, by_vmsplice, by_sendfile, by_copy, by_write, ways };
static const char* const names[] = {"splice", "vmsplice", "sendfile", "copy_file_range", "write"};
static int full[2], broken, source, target;
static char text[128 * 1024];
static volatile sig_atomic_t ran;
static pthread_t runner;

static void handler(int number) { ran += pthread_equal(pthread_self(), runner) ? number : 1000; }

static int raised_by(int way) { return way < by_copy ? SIGPIPE : SIGXFSZ; }

static long make(int way) {
  struct iovec part = {text, 4};
  off_t start = 0;
  loff_t in = 0, out = 4096;
  switch (way) {
    case by_splice: return splice(full[0], NULL, broken, NULL, 4, 0);
    case by_vmsplice: return vmsplice(broken, &part, 1, 0);
    case by_sendfile: return sendfile(broken, source, &start, 4);
    case by_copy: return copy_file_range(source, &in, target, &out, 4, 0);
    default: return pwrite(target, text, sizeof text, 4096);
  }
}

static void show(int way) {
  ran = 0;
  errno = 0;
  const long result = make(way);
  printf("%s: %ld %s, handler: %s\n", names[way], result, errno_name(errno), ran ? strsignal(ran) : "did not run");
}

static void* handled(void* argument) {
  runner = pthread_self();
  for (int way = 0; way < ways; way++) show(way);
  return argument;
}

static void* blocked(void* argument) {
  runner = pthread_self();
  sigset_t both, pending;
  const struct timespec at_once = {0, 0};
  sigemptyset(&both);
  sigaddset(&both, SIGPIPE);
  sigaddset(&both, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &both, NULL);
  for (int way = 0; way < ways; way++) {
    show(way);
    CHECK(sigpending(&pending) == 0);
    siginfo_t info;
    printf("pending: %d, taken: %d, ", sigismember(&pending, raised_by(way)), sigtimedwait(&both, &info, &at_once) == raised_by(way));
    printf("sent by ourselves: %d\n", info.si_code == SI_USER && info.si_pid == getpid());
  }
  return argument;
}

static void* die(void* argument) {
  make((int)(intptr_t)argument);
  return argument;
}

int main(void) {
  int ends[2];
  const struct rlimit small = {4096, RLIM_INFINITY};
  CHECK(pipe(full) == 0 && pipe(ends) == 0 && write(full[1], text, 4096) == 4096);
  broken = ends[1];
  close(ends[0]);
  source = open("source", O_RDWR | O_CREAT, 0600);
  target = open("target", O_RDWR | O_CREAT, 0600);
  CHECK(source >= 0 && target >= 0 && write(source, text, 4) == 4 && setrlimit(RLIMIT_FSIZE, &small) == 0);

  struct sigaction action = {.sa_handler = handler};
  sigaction(SIGPIPE, &action, NULL);
  sigaction(SIGXFSZ, &action, NULL);
  puts("handled");
  join_thread(start_thread(handled, NULL));
  puts("blocked");
  join_thread(start_thread(blocked, NULL));
  puts("ignored");
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  join_thread(start_thread(handled, NULL));
  signal(SIGPIPE, SIG_DFL);
  signal(SIGXFSZ, SIG_DFL);
  for (intptr_t way = 0; way < ways; way++) {
    const pid_t child = fork();
    if (child == 0) {
      const struct rlimit no_core = {0, 0};
      setrlimit(RLIMIT_CORE, &no_core);
      join_thread(start_thread(die, (void*)way));
      _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    printf("%s, by default: %s\n", names[way], WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "survived");
  }
  return success();
}
