// A process with parked threads, timers and sleepers is stopped and goes on: its parent hears of both, the handler of SIGCONT runs,
// nobody's call ends with an error, and sleeps end when they were to end.
#include "check.h"
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/wait.h>

static sem_t semaphore;
static int ends[2], report[2], quiet[2], seen[2];
static _Atomic int continued, ticks;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static void on_continue(int number) { continued = number; }
static void on_tick(int number) { ticks += number > 0; }

static void* in_read(void* argument) {
  char byte;
  CHECK(read(ends[0], &byte, 1) == 1);
  return argument;
}
static void* in_sem_wait(void* argument) {
  CHECK(sem_wait(&semaphore) == 0);
  return argument;
}
static void* in_poll(void* argument) {
  struct pollfd polled = {.fd = quiet[0], .events = POLLIN};
  CHECK(poll(&polled, 1, 300) == 0);
  return argument;
}
static void* in_sleep(void* argument) {
  const struct timespec some = {0, 300000000};
  CHECK(nanosleep(&some, NULL) == 0);
  return argument;
}
static void* in_cond(void* argument) {
  const struct timespec until = in_milliseconds(CLOCK_REALTIME, 300);
  pthread_mutex_lock(&mutex);
  while (pthread_cond_timedwait(&cond, &mutex, &until) != ETIMEDOUT) continue;
  pthread_mutex_unlock(&mutex);
  return argument;
}

static void child(void) {
  void* (*const bodies[])(void*) = {in_read, in_sem_wait, in_poll, in_sleep, in_cond};
  pthread_t threads[5];
  sigset_t both;
  sigemptyset(&both);
  sigaddset(&both, SIGCONT);
  sigaddset(&both, SIGUSR1);
  // Only main takes signals: a handler would end the others' calls.
  pthread_sigmask(SIG_BLOCK, &both, NULL);
  for (int i = 0; i < 5; i++) threads[i] = start_thread(bodies[i], NULL);
  signal(SIGCONT, on_continue);
  signal(SIGUSR1, on_tick);
  pthread_sigmask(SIG_UNBLOCK, &both, NULL);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  const struct itimerspec every = {{0, 10000000}, {0, 10000000}};
  timer_t timer;
  CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &every, NULL) == 0);
  const double began = seconds_now();
  while (ticks < 3) usleep(1000);
  CHECK(write(report[1], "x", 1) == 1);
  while (!continued) usleep(1000);
  const int before = ticks;
  while (ticks < before + 3) usleep(1000);
  for (int i = 2; i < 5; i++) join_thread(threads[i]);
  CHECK(seconds_now() - began >= 0.25);
  CHECK(write(ends[1], "x", 1) == 1 && sem_post(&semaphore) == 0);
  join_thread(threads[0]);
  join_thread(threads[1]);
  char byte;
  CHECK(read(seen[0], &byte, 1) == 1);
  exit(5);  // all went on
}

static void* stop_and_continue(void* argument) {
  const pid_t pid = (pid_t)(intptr_t)argument;
  int status;
  char byte;
  CHECK(read(report[0], &byte, 1) == 1);
  CHECK(kill(pid, SIGSTOP) == 0);
  CHECK(waitpid(pid, &status, WUNTRACED) == pid);
  printf("stopped: %d\n", WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  usleep(100000);
  CHECK(waitpid(pid, &status, WNOHANG) == 0);
  CHECK(kill(pid, SIGCONT) == 0);
  CHECK(waitpid(pid, &status, WCONTINUED) == pid);
  printf("continued: %d\n", WIFCONTINUED(status));
  CHECK(write(seen[1], "x", 1) == 1);
  CHECK(waitpid(pid, &status, 0) == pid);
  printf("exit %d\n", WEXITSTATUS(status));
  return NULL;
}

int main(void) {
  CHECK(pipe(ends) == 0 && pipe(report) == 0 && pipe(quiet) == 0 && pipe(seen) == 0 && sem_init(&semaphore, 0, 0) == 0);
  const pid_t pid = fork();
  if (pid == 0) child();
  join_thread(start_thread(stop_and_continue, (void*)(intptr_t)pid));
  return success();
}
