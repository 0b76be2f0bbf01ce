// aio_suspend and lio_listio wait for transfers while other threads go on; time-outs, handlers and cancellation end them.
#include "check.h"
#include <aio.h>
#include <signal.h>

static int ends[2];
static char byte;
static _Atomic int handled, going, back;

static void handler(int number) {
  (void)number;
  handled = 1;
}

static void set_handler(int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
}

static struct aiocb transfer(int operation, int fd) {
  return (struct aiocb){.aio_fildes = fd, .aio_buf = &byte, .aio_nbytes = 1, .aio_lio_opcode = operation,
                        .aio_sigevent.sigev_notify = SIGEV_NONE};
}

/// Reading from the empty pipe takes until somebody writes.
static struct aiocb read_begun(void) {
  return transfer(LIO_READ, ends[0]);
}

static void end_read(struct aiocb* read) {
  const struct aiocb* const list[] = {read};
  if (aio_error(read) == EINPROGRESS) CHECK(write(ends[1], "x", 1) == 1);
  CHECK(aio_suspend(list, 1, NULL) == 0 && aio_return(read) == 1);
}

static void* writer(void* argument) {
  CHECK(write(ends[1], "w", 1) == 1);
  return argument;
}

static void* waits(void* argument) {
  struct aiocb* const read = argument;
  const struct aiocb* const list[] = {NULL, read};
  going = 1;
  SHOW(aio_suspend(list, 2, NULL));
  back = 1;
  return NULL;
}

static void* waits_a_minute(void* argument) {
  struct aiocb* const read = argument;
  const struct aiocb* const list[] = {read};
  const struct timespec minute = {60, 0};
  going = 1;
  SHOW(aio_suspend(list, 1, &minute));
  back = 1;
  return NULL;
}

static void* waits_for_list(void* argument) {
  struct aiocb* const list[] = {argument};
  going = 1;
  SHOW(lio_listio(LIO_WAIT, list, 1, NULL));
  back = 1;
  return NULL;
}

/// A handler in a thread that waits for `read`: does the call end by it?
static void interrupted(void* (*run)(void*), struct aiocb* read, int flags, int restarts) {
  const struct timespec a_little = {0, 10000000};
  set_handler(flags);
  handled = going = back = 0;
  const pthread_t thread = start_thread(run, read);
  while (!going) sched_yield();
  nanosleep(&a_little, NULL);
  pthread_kill(thread, SIGUSR1);
  while (!handled) nanosleep(&a_little, NULL);
  if (restarts) {
    nanosleep(&a_little, NULL);
    CHECK(!back);
    CHECK(write(ends[1], "x", 1) == 1);
  }
  join_thread(thread);
  end_read(read);
}

static void handlers(void) {
  static const int flags[] = {0, SA_RESTART};
  for (int i = 0; i < 2; i++) {
    struct aiocb read = read_begun();
    CHECK(aio_read(&read) == 0);
    interrupted(waits, &read, flags[i], flags[i]);
    read = read_begun();
    CHECK(aio_read(&read) == 0);
    interrupted(waits_a_minute, &read, flags[i], 0);
  }
  // Without SA_RESTART libc leaves a list on the stack that is gone by then.
  struct aiocb read = read_begun();
  interrupted(waits_for_list, &read, SA_RESTART, 1);
}

static void cancelled(void) {
  struct aiocb read = read_begun();
  CHECK(aio_read(&read) == 0);
  going = 0;
  const pthread_t thread = start_thread(waits, &read);
  while (!going) sched_yield();
  let_others_run();
  CHECK(pthread_cancel(thread) == 0);
  CHECK(join_thread(thread) == PTHREAD_CANCELED);
  puts("cancelled");
  end_read(&read);
}

static void lists(void) {
  struct aiocb read = transfer(LIO_READ, ends[0]), write_ = transfer(LIO_WRITE, ends[1]), nothing = transfer(LIO_NOP, -1),
               wrong = transfer(LIO_READ, -1), refused = transfer(LIO_READ, ends[0]);
  refused.aio_reqprio = -1;
  struct aiocb* both[] = {&read, NULL, &nothing, &write_};
  SHOW(lio_listio(LIO_WAIT, both, 4, NULL));
  SHOW(aio_return(&read));
  SHOW(aio_return(&write_));
  struct aiocb* one_wrong[] = {&wrong, &write_};
  SHOW(lio_listio(LIO_WAIT, one_wrong, 2, NULL));
  SHOW(aio_error(&wrong));
  struct aiocb* one_refused[] = {&refused, &read};
  SHOW(lio_listio(LIO_WAIT, one_refused, 2, NULL));
  SHOW(aio_error(&refused));
  SHOW(aio_return(&read));
  SHOW(lio_listio(LIO_WAIT, one_refused, 1, NULL));
  SHOW(lio_listio(LIO_WAIT, &both[1], 2, NULL));
  SHOW(lio_listio(LIO_WAIT, both, -1, NULL));
  SHOW(lio_listio(77, both, 4, NULL));
  SHOW(lio_listio(LIO_NOWAIT, both, 4, NULL));
  end_read(&read);
}

static void* errors(void* argument) {
  struct aiocb read = read_begun();
  const struct aiocb* const list[] = {NULL, &read};
  const struct timespec no_time = {0, 0}, a_little = {0, 20000000}, wrong = {0, -1};
  SHOW(aio_suspend(list, 1, NULL));
  SHOW(aio_suspend(list, -1, NULL));
  CHECK(aio_read(&read) == 0);
  SHOW(aio_suspend(list, 2, &no_time));
  SHOW(aio_suspend(list, 2, &a_little));
  SHOW(aio_suspend(list, 2, &wrong));
  end_read(&read);
  SHOW(aio_suspend(list, 2, &no_time));
  SHOW(aio_suspend(list, 2, &wrong));
  return argument;
}

int main(void) {
  CHECK(pipe(ends) == 0);
  struct aiocb read = read_begun();
  CHECK(aio_read(&read) == 0);
  const pthread_t thread = start_thread(waits, &read);
  while (!going) sched_yield();
  let_others_run();
  CHECK(!back);
  join_thread(start_thread(writer, NULL));
  join_thread(thread);
  SHOW(aio_return(&read));
  join_thread(start_thread(errors, NULL));
  handlers();
  cancelled();
  lists();
  return success();
}
