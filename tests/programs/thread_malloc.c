// Memory allocated in one thread is freed in another, many at a time, with blocking in between.
#include "check.h"

enum { threads = 40, rounds = 200 };
static int queue[2];
static void* produce(void* argument) {
  for (int i = 0; i < rounds; i++) {
    size_t size = 16 + (size_t)(i * 37) % 5000;
    unsigned char* block = malloc(size);
    memset(block, i, size);
    CHECK(write(queue[1], &block, sizeof block) == sizeof block);
    free(realloc(malloc(100), 3000));
  }
  return argument;
}
static void* consume(void* argument) {
  long sum = 0;
  for (int i = 0; i < rounds; i++) {
    unsigned char* block;
    CHECK(read(queue[0], &block, sizeof block) == sizeof block);
    sum += block[0];
    CHECK(block[15] == block[0]);
    free(block);
  }
  CHECK(argument == NULL);
  return (void*)sum;
}

int main(void) {
  CHECK(pipe(queue) == 0);
  pthread_t producers[threads], consumers[threads];
  for (int i = 0; i < threads; i++) consumers[i] = start_thread(consume, NULL), producers[i] = start_thread(produce, NULL);
  long sum = 0;
  for (int i = 0; i < threads; i++) join_thread(producers[i]), sum += (long)join_thread(consumers[i]);
  printf("sum %ld\n", sum);
  return success();
}
