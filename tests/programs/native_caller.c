// A thread of libc's own (SIGEV_THREAD) changes the identity of the process, and cancels the main thread, while that waits in a
// call that only a kernel thread can wait in.
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

static char fifo[64];
static pthread_t main_thread;
static _Atomic int cleaned_up;

static void* idle(void* argument) {
  while (!cleaned_up) usleep(1000);
  for (int i = 0; i < 10; i++) usleep(1000);  // the others are not cancelled
  void* result;
  CHECK(pthread_join(main_thread, &result) == 0);
  printf("main was cancelled: %d\n", result == PTHREAD_CANCELED);
  unlink(fifo);
  exit(success());
  return argument;
}

static void call(void (*notify)(union sigval)) {
  struct sigevent event = {.sigev_notify = SIGEV_THREAD};
  event.sigev_notify_function = notify;
  const struct itimerspec when = {.it_value = {0, 50000000}};
  timer_t timer;
  CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &when, NULL) == 0);
}

static void change_identity(union sigval value) {
  (void)value;
  SHOW(setgid(getgid()));
  for (int i = 0; i < 20; i++) CHECK(setuid(getuid()) == 0);
  const int fd = open(fifo, O_WRONLY);
  CHECK(fd >= 0);
  close(fd);
}

static void cancel_main(union sigval value) {
  (void)value;
  CHECK(pthread_cancel(main_thread) == 0);
}

static void cleanup(void* argument) {
  (void)argument;
  puts("main: cleanup");
  cleaned_up = 1;
}

int main(void) {
  main_thread = pthread_self();
  snprintf(fifo, sizeof fifo, "/tmp/guv-native-fifo-%d", getpid());
  unlink(fifo);
  CHECK(mkfifo(fifo, 0600) == 0);
  start_thread(idle, NULL);
  call(change_identity);
  const int fd = open(fifo, O_RDONLY);
  CHECK(fd >= 0);
  close(fd);
  unlink(fifo);
  pthread_cleanup_push(cleanup, NULL);
  call(cancel_main);
  CHECK(mkfifo(fifo, 0600) == 0);  // another: nobody opens it for writing
  open(fifo, O_RDONLY);
  pthread_cleanup_pop(0);
  puts("came back");
  return 1;
}
