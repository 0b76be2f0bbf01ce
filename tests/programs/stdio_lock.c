// A FILE's lock is held over blocking calls, is recursive, and belongs to the thread.
#include "check.h"

static FILE* file;
static int gate[2];
static pthread_barrier_t locked;
static void* holder(void* argument) {
  flockfile(file);
  flockfile(file);
  fputs("first ", file);
  pthread_barrier_wait(&locked);
  char byte;
  CHECK(read(gate[0], &byte, 1) == 1);
  fputs("second ", file);
  funlockfile(file);
  sched_yield();
  fputs("third\n", file);
  funlockfile(file);
  return argument;
}
static void* writer(void* argument) {
  fprintf(file, "another\n");
  return argument;
}
static void* try_it(void* argument) {
  int busy = ftrylockfile(file) != 0;
  if (!busy) funlockfile(file);
  printf("ftrylockfile: %s\n", busy ? "busy" : "free");
  return argument;
}

int main(void) {
  CHECK(pipe(gate) == 0);
  CHECK(file = tmpfile());
  pthread_barrier_init(&locked, NULL, 2);
  pthread_t first = start_thread(holder, NULL);
  pthread_barrier_wait(&locked);
  join_thread(start_thread(try_it, NULL));
  pthread_t others[5];
  for (int i = 0; i < 5; i++) others[i] = start_thread(writer, NULL);
  let_others_run();
  CHECK(write(gate[1], "", 1) == 1);
  join_thread(first);
  for (int i = 0; i < 5; i++) join_thread(others[i]);
  join_thread(start_thread(try_it, NULL));
  rewind(file);
  for (char line[100]; fgets(line, sizeof line, file);) fputs(line, stdout);
  return success();
}
