// A bounded queue of producers and consumers over two condition variables.
#include "check.h"

enum { producers = 8, consumers = 5, items = 500, room = 7 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER, not_empty = PTHREAD_COND_INITIALIZER;
static int queue[room], used, first;

static void put(int item) {
  pthread_mutex_lock(&mutex);
  while (used == room) pthread_cond_wait(&not_full, &mutex);
  queue[(first + used++) % room] = item;
  pthread_cond_signal(&not_empty);
  pthread_mutex_unlock(&mutex);
}
static int get(void) {
  pthread_mutex_lock(&mutex);
  while (used == 0) pthread_cond_wait(&not_empty, &mutex);
  int item = queue[first];
  first = (first + 1) % room;
  used--;
  pthread_cond_signal(&not_full);
  pthread_mutex_unlock(&mutex);
  return item;
}
static void* produce(void* argument) {
  for (int i = 0; i < items; i++) put((int)(intptr_t)argument * items + i);
  return NULL;
}
static void* consume(void* argument) {
  long long sum = 0;
  for (int item; (item = get()) >= 0;) sum += item;
  CHECK(argument == NULL);
  return (void*)sum;
}

int main(void) {
  pthread_t in[producers], out[consumers];
  for (int i = 0; i < consumers; i++) out[i] = start_thread(consume, NULL);
  for (intptr_t i = 0; i < producers; i++) in[i] = start_thread(produce, (void*)i);
  for (int i = 0; i < producers; i++) join_thread(in[i]);
  for (int i = 0; i < consumers; i++) put(-1);
  long long sum = 0;
  for (int i = 0; i < consumers; i++) sum += (long long)join_thread(out[i]);
  printf("sum %lld of %d items\n", sum, producers * items);
  return success();
}
