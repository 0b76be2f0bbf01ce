// pthread_atfork handlers run in the right order on the right sides, from main and from a thread.
#include "check.h"
#include <sys/wait.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char trace[100];
static void note(char letter) { trace[strlen(trace)] = letter; }
static void prepare_one(void) { note('a'); }
static void parent_one(void) { note('b'); }
static void child_one(void) { note('c'); }
static void prepare_two(void) {
  pthread_mutex_lock(&mutex);
  note('A');
}
static void parent_two(void) {
  note('B');
  pthread_mutex_unlock(&mutex);
}
static void child_two(void) {
  note('C');
  pthread_mutex_unlock(&mutex);
}
static void* contend(void* stop) {
  while (!__atomic_load_n((int*)stop, __ATOMIC_SEQ_CST)) {
    pthread_mutex_lock(&mutex);
    sched_yield();
    pthread_mutex_unlock(&mutex);
    sched_yield();
  }
  return NULL;
}
static void* forking(void* argument) {
  memset(trace, 0, sizeof trace);
  int ends[2], status;
  CHECK(pipe(ends) == 0);
  pid_t child = fork();
  if (child == 0) {
    CHECK(pthread_mutex_lock(&mutex) == 0);
    CHECK(write(ends[1], trace, strlen(trace)) > 0);
    _exit(0);
  }
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  char theirs[100] = "";
  CHECK(read(ends[0], theirs, sizeof theirs - 1) > 0);
  printf("parent %s, child %s\n", trace, theirs);
  return argument;
}

int main(void) {
  CHECK(pthread_atfork(prepare_one, parent_one, child_one) == 0);
  CHECK(pthread_atfork(prepare_two, parent_two, child_two) == 0);
  int stop = 0;
  pthread_t thread = start_thread(contend, &stop);
  for (int i = 0; i < 5; i++) forking(NULL);
  join_thread(start_thread(forking, NULL));
  stop = 1;
  join_thread(thread);
  return success();
}
