/* What the C programs here share. */
#pragma once

#include <guv/guv.h>

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                                \
    }                                                                         \
  } while (0)

static int64_t in_ms(int64_t milliseconds) { return guv_now() + milliseconds * 1000000; }

static guv_thread* spawn(void* (*function)(void*), void* argument) {
  guv_thread* thread;
  CHECK(guv_spawn(&thread, function, argument) == 0);
  CHECK(guv_yield() == 0);
  return thread;
}

static void* join(guv_thread* thread) {
  void* result = NULL;
  CHECK(guv_thread_wait(thread, &result, GUV_NEVER) == 0);
  guv_thread_release(thread);
  return result;
}
