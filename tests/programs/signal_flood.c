// Another process sends queued signals as fast as the kernel takes them, faster than handlers run: to a process whose main
// thread computes, or waits; to sigwaitinfo, and to a signalfd. All arrive, and each queue's last is the last.
#include "check.h"
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

enum { count = 20000, workers = 4 };
static _Atomic long handled, sum, standard;
static _Atomic int finished;

static void handler(int number, siginfo_t* info, void* context) {
  (void)context;
  if (number == SIGUSR1) {
    standard++;
    return;
  }
  sum += info->si_value.sival_int;
  handled++;
}
static pid_t send(int number) {
  const pid_t parent = getpid(), child = fork();
  CHECK(child >= 0);
  if (child != 0) return child;
  for (int i = 1; i <= count; i++) {
    while (sigqueue(parent, number, (union sigval){.sival_int = i}) != 0) {
      CHECK(errno == EAGAIN);  // signal(7): the kernel keeps so many
      sched_yield();
    }
    if (i % 10 == 0) kill(parent, SIGUSR1);
  }
  _exit(0);
}
static void collect(pid_t child, const char* name) {
  int status;
  while (waitpid(child, &status, 0) == -1) CHECK(errno == EINTR);
  const double limit = seconds_now() + 60;
  while (handled < count && seconds_now() < limit) usleep(1000);
  printf("%s: %ld, sum %ld, status %d\n", name, (long)handled, (long)sum, status);
  handled = sum = 0;
}
static void* wait_in_calls(void* argument) {
  while (!finished) usleep(1000);
  return argument;
}
static void* by_sigwaitinfo(void* set) {
  for (int i = 1; i <= count; i++) {
    siginfo_t info;
    while (sigwaitinfo(set, &info) == -1) CHECK(errno == EINTR);
    CHECK(info.si_value.sival_int == i);
    sum += i;
    handled++;
  }
  return NULL;
}
static void* by_descriptor(void* set) {
  const int fd = signalfd(-1, set, SFD_CLOEXEC);
  for (int i = 1; i <= count; i++) {
    struct signalfd_siginfo info;
    ssize_t size;
    while ((size = read(fd, &info, sizeof info)) == -1) CHECK(errno == EINTR);
    CHECK(size == sizeof info && info.ssi_int == i);
    sum += i;
    handled++;
  }
  close(fd);
  return NULL;
}

int main(void) {
  struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART};
  action.sa_sigaction = handler;
  const int handled_number = SIGRTMIN + 1, waited_number = SIGRTMIN + 2;
  CHECK(sigaction(handled_number, &action, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, waited_number);
  CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
  pthread_t threads[workers];
  for (int i = 0; i < workers; i++) threads[i] = start_thread(wait_in_calls, NULL);

  collect(send(handled_number), "to handlers");
  pid_t child = send(handled_number);
  while (handled < count) (void)sum;
  collect(child, "to a thread that computes");

  pthread_t receiver = start_thread(by_sigwaitinfo, &set);
  collect(send(waited_number), "to sigwaitinfo");
  join_thread(receiver);
  receiver = start_thread(by_descriptor, &set);
  collect(send(waited_number), "to a signalfd");
  join_thread(receiver);
  printf("standard: %d\n", standard > 0 && standard <= 4 * count / 10);
  finished = 1;
  for (int i = 0; i < workers; i++) join_thread(threads[i]);
  return success();
}
