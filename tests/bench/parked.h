// Threads that park until they are released.
#pragma once

#include "bench.h"
#include <errno.h>
#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER, arrived = PTHREAD_COND_INITIALIZER;
static long parked, wanted;
static int release;

static void* park(void* argument) {
  pthread_mutex_lock(&mutex);
  if (++parked == wanted) pthread_cond_signal(&arrived);
  while (!release) pthread_cond_wait(&released, &mutex);
  pthread_mutex_unlock(&mutex);
  return argument;
}

/// Makes as many as the first argument says, and returns when all are parked.
static pthread_t* park_threads(int argc, char** argv) {
  wanted = argc > 1 ? atol(argv[1]) : 10000;
  pthread_t* threads = calloc((size_t)wanted, sizeof *threads);
  check(threads == NULL ? ENOMEM : 0, "calloc");
  for (long i = 0; i < wanted; ++i) {
    int error = pthread_create(&threads[i], NULL, park, NULL);
    if (error != 0) fprintf(stderr, "after %ld threads: ", i);
    check(error, "pthread_create");
  }
  pthread_mutex_lock(&mutex);
  while (parked < wanted) pthread_cond_wait(&arrived, &mutex);
  pthread_mutex_unlock(&mutex);
  return threads;
}

static void release_and_join(pthread_t* threads) {
  pthread_mutex_lock(&mutex);
  release = 1;
  pthread_cond_broadcast(&released);
  pthread_mutex_unlock(&mutex);
  for (long i = 0; i < wanted; ++i) check(pthread_join(threads[i], NULL), "pthread_join");
}
