// eventfd: a read waits for a count, a write waits for room; semaphore mode; non-blocking mode.
#include "check.h"
#include <sys/eventfd.h>

static int fd, back;
static void* reader(void* argument) {
  uint64_t value;
  CHECK(read(fd, &value, sizeof value) == sizeof value);
  if (argument) return (void*)(intptr_t)value;
  CHECK(eventfd_read(fd, &value) == 0);
  return (void*)(intptr_t)value;
}
static void* echo(void* argument) {
  eventfd_t value;
  for (int i = 0; i < 500; i++) CHECK(eventfd_read(fd, &value) == 0 && eventfd_write(back, value) == 0);
  return argument;
}

int main(void) {
  fd = eventfd(0, 0);
  pthread_t thread = start_thread(reader, (void*)1);
  let_others_run();
  SHOW(eventfd_write(fd, 7));
  printf("read %ld\n", (long)(intptr_t)join_thread(thread));
  back = eventfd(0, EFD_CLOEXEC);
  thread = start_thread(echo, NULL);
  uint64_t sum = 0, value;
  for (uint64_t i = 1; i <= 500; i++) {
    CHECK(write(fd, &i, sizeof i) == sizeof i && read(back, &value, sizeof value) == sizeof value);
    sum += value;
  }
  join_thread(thread);
  printf("sum %lu\n", (unsigned long)sum);

  CHECK(eventfd_write(fd, UINT64_MAX - 1) == 0);  // full: the next write waits for a read
  thread = start_thread(reader, NULL);
  uint64_t one = 5;
  SHOW(write(fd, &one, sizeof one));
  printf("after the full one: %ld\n", (long)(intptr_t)join_thread(thread));
  one = UINT64_MAX;
  SHOW(write(fd, &one, sizeof one));
  SHOW(read(fd, &one, 4));
  close(fd);

  fd = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK);
  for (int i = 0; i < 4; i++) SHOW(read(fd, &value, sizeof value));
  return success();
}
