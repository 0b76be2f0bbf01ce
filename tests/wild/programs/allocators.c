// Memory that goes from thread to thread, while the threads wait, end, fork and start others: what an allocator or a sanitizer
// that is linked or preloaded has to bear. Prints sums that depend on nothing.
#include "../../programs/check.h"
#include <sys/wait.h>

enum { threads = 200, blocks = 50 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static char* handed_over;
static long sum, taken;

static char* filled(size_t size, int with) {
  char* block = malloc(size);
  CHECK(block != NULL);
  memset(block, with, size);
  return block;
}

// One leaves a block, the next one takes it.
static void hand_over(void) {
  char* mine = filled(100, 1);
  pthread_mutex_lock(&mutex);
  if (handed_over) {
    sum += handed_over[99];
    free(handed_over);
    handed_over = NULL;
    free(mine);
    taken++;
    pthread_cond_broadcast(&changed);
  } else {
    handed_over = mine;
    const long before = taken;
    while (taken == before) pthread_cond_wait(&changed, &mutex);
  }
  pthread_mutex_unlock(&mutex);
}

static void add(long seen) {
  pthread_mutex_lock(&mutex);
  sum += seen;
  pthread_mutex_unlock(&mutex);
}

static void* work(void* argument) {
  const intptr_t me = (intptr_t)argument;
  char* own[blocks];
  for (int i = 0; i < blocks; i++) {
    own[i] = filled((size_t)(i * i * (me % 7) + 1), i);
    if (i % 10 == 0) usleep(100);
  }
  hand_over();
  long seen = 0;
  for (int i = 0; i < blocks; i++) {
    seen += own[i][0];
    own[i] = realloc(own[i], 10);
    CHECK(own[i][0] == i);
    free(own[i]);
  }
  add(seen);
  return filled(64, 7);
}

static void run_threads(int count) {
  pthread_t all[threads];
  for (intptr_t i = 0; i < count; i++) all[i] = start_thread(work, (void*)i);
  for (int i = 0; i < count; i++) {
    char* block = join_thread(all[i]);
    add(block[63]);
    free(block);
  }
}

static void* fork_in_thread(void* argument) {
  const pid_t child = fork();
  if (child == 0) {
    sum = 0;
    run_threads(20);
    _exit(sum == 20 * 1225 + 10 + 140 ? 21 : 1);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  printf("child: %d\n", WEXITSTATUS(status));
  return argument;
}

int main(void) {
  run_threads(threads);
  printf("sum: %ld\n", sum);
  join_thread(start_thread(fork_in_thread, NULL));
  run_threads(threads);
  printf("sum: %ld\n", sum);
  return success();
}
