// ns per lock + unlock of a mutex nobody else wants, in a process that has several threads.   mutex [MILLISECONDS]
#include "bench.h"
#include <pthread.h>

static int64_t length;

static void* lock_and_unlock(void* result) {
  enum { batch = 10000, most = 10000 };
  static double batches[most];
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  int64_t until = now_ns() + length;
  size_t count = 0;
  for (int64_t start = now_ns(); start < until && count < most; ++count) {
    for (int i = 0; i < batch; ++i) {
      pthread_mutex_lock(&mutex);
      pthread_mutex_unlock(&mutex);
    }
    int64_t end = now_ns();
    batches[count] = (double)(end - start) / batch;
    start = end;
  }
  *(double*)result = median(batches, count);
  return NULL;
}

int main(int argc, char** argv) {
  length = duration_ns(argc, argv, 200);
  double result = 0;
  pthread_t thread;
  check(pthread_create(&thread, NULL, lock_and_unlock, &result), "pthread_create");
  check(pthread_join(thread, NULL), "pthread_join");
  printf("%.2f\n", result);
}
