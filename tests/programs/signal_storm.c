// signal_storm [SECONDS]: ten thousand signals a second, standard and queued, to the process and to threads, from threads and from
// another process, while threads wait in all kinds of calls. All that are queued arrive, with their values, once; of the
// standard ones at least the last.
#include "check.h"
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/wait.h>

enum { workers = 20, bursts_per_second = 1000 };
static _Atomic long long to_process[2], to_thread[1], taken_by_wait;  // sums of values
static _Atomic long standard_to_process, standard_to_thread;
static _Atomic int ready, finished;
static __thread int me = -1;
static pthread_t threads[workers];
static sem_t never;
static int ends[2];

static int queued_process(void) { return SIGRTMIN + 1; }
static int queued_thread(void) { return SIGRTMIN + 2; }
static int queued_wait(void) { return SIGRTMIN + 3; }

static void on_process(int number, siginfo_t* info, void* context) {
  (void)context;
  if (number == SIGUSR1) standard_to_process++;
  else to_process[info->si_pid == getpid()] += info->si_value.sival_int;
}
static void on_thread(int number, siginfo_t* info, void* context) {
  (void)context;
  CHECK(me >= 0);
  if (number == SIGUSR2) standard_to_thread++;
  else to_thread[0] += info->si_value.sival_int;
}
static void handle(int number, void (*handler)(int, siginfo_t*, void*), int flags) {
  struct sigaction action = {.sa_flags = SA_SIGINFO | flags};
  action.sa_sigaction = handler;
  sigaction(number, &action, NULL);
}

static void* work(void* argument) {
  me = (int)(intptr_t)argument;
  ready++;
  char byte;
  struct pollfd polled = {.fd = ends[0], .events = POLLIN};
  const struct timespec a_little = {0, 2000000};
  while (!finished) {
    switch (me % 4) {
      case 0: nanosleep(&a_little, NULL); break;
      case 1: poll(&polled, 1, 5); break;
      case 2: sem_wait(&never); break;
      case 3: read(ends[0], &byte, 1); break;
    }
  }
  return NULL;
}
static void* wait_for_signals(void* argument) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, queued_wait());
  for (;;) {
    siginfo_t info;
    if (sigwaitinfo(&set, &info) == -1) continue;
    if (info.si_value.sival_int == 0) return argument;
    taken_by_wait += info.si_value.sival_int;
  }
}
static void queue(pid_t process, int number, int value) {
  while (sigqueue(process, number, (union sigval){.sival_int = value}) != 0) {
    CHECK(errno == EAGAIN);  // signal(7): the kernel keeps so many
    usleep(100);
  }
}
static void queue_to_thread(pthread_t thread, int value) {
  int error;
  while ((error = pthread_sigqueue(thread, queued_thread(), (union sigval){.sival_int = value})) == EAGAIN) usleep(100);
  CHECK(error == 0);
}
static void wait_until(const char* name, _Atomic long long* sum, long long wanted) {
  const double limit = seconds_now() + 30;
  while (*sum < wanted && seconds_now() < limit) usleep(1000);
  if (*sum == wanted) printf("%s: all\n", name);
  else printf("%s: %lld of %lld\n", name, *sum, wanted);
}

int main(int argc, char** argv) {
  const int bursts = bursts_per_second * (argc > 1 ? atoi(argv[1]) : 1);
  CHECK(pipe(ends) == 0 && sem_init(&never, 0, 0) == 0);
  handle(SIGUSR1, on_process, SA_RESTART);
  handle(SIGUSR2, on_thread, 0);
  handle(queued_process(), on_process, 0);
  handle(queued_thread(), on_thread, SA_RESTART);
  sigset_t waited_for;
  sigemptyset(&waited_for);
  sigaddset(&waited_for, queued_wait());
  pthread_sigmask(SIG_BLOCK, &waited_for, NULL);
  const pid_t parent = getpid(), child = fork();
  CHECK(child >= 0);
  if (child == 0) {  // two of the ten of each burst come from here
    for (int burst = 1; burst <= bursts; burst++) {
      queue(parent, queued_process(), burst);
      kill(parent, SIGUSR1);
      usleep(1000000 / bursts_per_second);
    }
    _exit(0);
  }
  pthread_t waiter = start_thread(wait_for_signals, NULL);
  for (intptr_t i = 0; i < workers; i++) threads[i] = start_thread(work, (void*)i);
  while (ready < workers) sched_yield();
  long long sum = 0;
  for (int burst = 1; burst <= bursts; burst++) {
    sum += burst;
    queue(parent, queued_process(), burst);
    queue(parent, queued_wait(), burst);
    kill(parent, SIGUSR1);
    for (int i = 0; i < 3; i++) queue_to_thread(threads[(burst + 7 * i) % workers], burst);
    for (int i = 0; i < 2; i++) CHECK(pthread_kill(threads[(burst + i) % workers], SIGUSR2) == 0);
    usleep(1000000 / bursts_per_second);
  }
  int status;
  while (waitpid(child, &status, 0) == -1) CHECK(errno == EINTR);
  CHECK(status == 0);
  wait_until("queued to the process", &to_process[1], sum);
  wait_until("queued to the process by another", &to_process[0], sum);
  wait_until("queued for sigwaitinfo", &taken_by_wait, sum);
  wait_until("queued to threads", &to_thread[0], 3 * sum);
  printf("standard: %d %d\n", standard_to_process > 0 && standard_to_process <= 2L * bursts,
         standard_to_thread > 0 && standard_to_thread <= 2L * bursts);
  queue(parent, queued_wait(), 0);
  join_thread(waiter);
  finished = 1;
  for (int i = 0; i < workers; i++) {
    sem_post(&never);
    CHECK(write(ends[1], "x", 1) == 1);
  }
  for (int i = 0; i < workers; i++) join_thread(threads[i]);
  return success();
}
