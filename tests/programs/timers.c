// POSIX timers that notify by thread or by signal, and setitimer, while threads sleep.
#include "check.h"
#include <semaphore.h>
#include <signal.h>
#include <sys/time.h>

static sem_t notified, stop;
static volatile sig_atomic_t signals;
static void on_timer(union sigval value) {
  CHECK(value.sival_int == 42);
  sem_post(&notified);
}
static void handler(int number) {
  signals += number != 0;
  sem_post(&notified);
}
static void* parked(void* argument) {
  while (sem_wait(&stop) == -1) CHECK(errno == EINTR);
  return argument;
}
static void wait_for_one(void) {
  while (sem_wait(&notified) == -1) CHECK(errno == EINTR);
}

int main(void) {
  sem_init(&notified, 0, 0);
  sem_init(&stop, 0, 0);
  pthread_t thread = start_thread(parked, NULL);
  struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_value = {.sival_int = 42}};
  event.sigev_notify_function = on_timer;
  timer_t timer;
  struct itimerspec when = {.it_value = {0, 20000000}, .it_interval = {0, 5000000}};
  CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &when, NULL) == 0);
  for (int i = 0; i < 3; i++) wait_for_one();
  CHECK(timer_delete(timer) == 0);
  puts("notified by thread");
  while (sem_trywait(&notified) == 0) continue;

  struct sigaction action = {.sa_handler = handler};
  sigaction(SIGUSR2, &action, NULL);
  sigaction(SIGALRM, &action, NULL);
  struct sigevent by_signal = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
  CHECK(timer_create(CLOCK_REALTIME, &by_signal, &timer) == 0 && timer_settime(timer, 0, &when, NULL) == 0);
  for (int i = 0; i < 3; i++) wait_for_one();
  CHECK(timer_delete(timer) == 0);
  printf("by signal: %d\n", signals >= 1);
  signals = 0;
  struct itimerval interval = {.it_value = {0, 20000}};
  CHECK(setitimer(ITIMER_REAL, &interval, NULL) == 0);
  while (signals == 0) wait_for_one();
  puts("by setitimer");
  sem_post(&stop);
  join_thread(thread);
  return success();
}
