// ns to create, run and join an empty thread, with default attributes.   thread_create [MILLISECONDS]
#include "bench.h"
#include <pthread.h>

static void* empty(void* argument) { return argument; }

static void create_and_join(int count) {
  for (int i = 0; i < count; ++i) {
    pthread_t thread;
    check(pthread_create(&thread, NULL, empty, NULL), "pthread_create");
    check(pthread_join(thread, NULL), "pthread_join");
  }
}

int main(int argc, char** argv) {
  enum { batch = 200, most = 10000 };
  static double batches[most];
  create_and_join(batch);
  int64_t until = now_ns() + duration_ns(argc, argv, 200);
  size_t count = 0;
  for (int64_t start = now_ns(); start < until && count < most; ++count) {
    create_and_join(batch);
    int64_t end = now_ns();
    batches[count] = (double)(end - start) / batch;
    start = end;
  }
  printf("%.1f\n", median(batches, count));
}
