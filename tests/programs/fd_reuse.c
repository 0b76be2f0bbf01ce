// Numbers of fds are closed and used again at once, for other kinds of things, by dup2, and with waiters on the old ones.
#include "pairs.h"

static void* reader(void* argument) {
  char byte = 0;
  CHECK(read((int)(intptr_t)argument, &byte, 1) == 1);
  return (void*)(intptr_t)byte;
}

int main(void) {
  long sum = 0;
  int number = -1;
  for (int i = 0; i < 300; i++) {
    int ends[2];
    if (i % 3 == 0) CHECK(pipe(ends) == 0);
    else make_pair(i % 3 == 1 ? UNIX_STREAM : TCP, ends);
    if (number >= 0 && i % 3 != 2) CHECK(ends[0] == number);  // the same number every time
    if (i % 3 != 2) number = ends[0];
    pthread_t thread = start_thread(reader, (void*)(intptr_t)ends[0]);
    for (int j = 0; j < 20; j++) sched_yield();
    char byte = (char)(i % 100);
    CHECK(write(ends[1], &byte, 1) == 1);
    sum += (intptr_t)join_thread(thread);
    close_pair(ends);
  }
  printf("sum %ld\n", sum);
  int first[2], second[2];
  for (int i = 0; i < 50; i++) {
    make_pair(UNIX_STREAM, first);
    CHECK(pipe(second) == 0);
    pthread_t warm = start_thread(reader, (void*)(intptr_t)first[0]);
    sched_yield();
    CHECK(write(first[1], "a", 1) == 1);
    join_thread(warm);
    CHECK(dup2(second[0], first[0]) == first[0]);  // now another thing under the same number
    close(second[0]);
    pthread_t thread = start_thread(reader, (void*)(intptr_t)first[0]);
    for (int j = 0; j < 20; j++) sched_yield();
    CHECK(write(second[1], "b", 1) == 1);
    CHECK((intptr_t)join_thread(thread) == 'b');
    int copy = dup(first[0]), high = fcntl(first[0], F_DUPFD_CLOEXEC, 500);
    close(first[0]);  // the description lives on in its copies
    thread = start_thread(reader, (void*)(intptr_t)(i % 2 ? copy : high));
    for (int j = 0; j < 20; j++) sched_yield();
    CHECK(write(second[1], "c", 1) == 1);
    CHECK((intptr_t)join_thread(thread) == 'c');
    close(copy), close(high), close(first[1]), close(second[1]);
  }
  SHOW(close(first[1]));
  char byte;
  SHOW(read(first[0], &byte, 1));
  SHOW(dup2(1000, 5));
  SHOW(dup3(1, 1, 0));
  return success();
}
