/// The few words that every test program uses. A program prints what it saw, in an order that does not depend on who
/// runs when, and ends with EXIT-SUCCESS; it is run plain and under guv, and both must look the same. Where it cannot show
/// what it is about, it says why and ends with 77.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline const char* errno_name(int error) {
  const char* name = error == 0 ? "0" : strerrorname_np(error);
  return name ? name : "unknown";
}

static inline void check_failed(const char* file, int line, const char* what) {
  const int error = errno;
  const char* slash = strrchr(file, '/');
  dprintf(1, "%s:%d: not so: %s (errno %s)\nEXIT-FAILURE\n", slash ? slash + 1 : file, line, what, errno_name(error));
  _exit(1);
}

/// Ends the program with a message unless `condition` holds.
#define CHECK(condition)                                        \
  do {                                                          \
    if (!(condition)) check_failed(__FILE__, __LINE__, #condition); \
  } while (0)

/// Prints what a call that reports through errno returned.
#define SHOW(call)                                                              \
  do {                                                                          \
    errno = 0;                                                                  \
    const long long shown = (long long)(call);                                  \
    if (shown == -1) printf("%s: -1 %s\n", #call, errno_name(errno));           \
    else printf("%s: %lld\n", #call, shown);                                    \
  } while (0)

/// Prints what a call that returns an error number (pthread_*) returned.
#define SHOW_ERROR(call) printf("%s: %s\n", #call, errno_name(call))

/// Line by line, so that nothing is lost in a crash or printed twice after a fork.
__attribute__((constructor)) static void print_line_by_line(void) { setvbuf(stdout, NULL, _IOLBF, 0); }

static inline int success(void) {
  puts("EXIT-SUCCESS");
  return 0;
}

static inline pthread_t start_thread(void* (*run)(void*), void* argument) {
  pthread_t thread;
  errno = pthread_create(&thread, NULL, run, argument);
  CHECK(errno == 0);
  return thread;
}

static inline void* join_thread(pthread_t thread) {
  void* result = NULL;
  errno = pthread_join(thread, &result);
  CHECK(errno == 0);
  return result;
}

/// Gives others the chance to get as far as they can. Nothing may depend on it; it only makes blocking likely.
static inline void let_others_run(void) {
  for (int i = 0; i < 500; i++) sched_yield();
}

static inline double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/// An absolute time on `clock`, that many milliseconds from now.
static inline struct timespec in_milliseconds(clockid_t clock, long milliseconds) {
  struct timespec time;
  clock_gettime(clock, &time);
  const long long nanoseconds = (long long)time.tv_sec * 1000000000LL + time.tv_nsec + milliseconds * 1000000LL;
  time.tv_sec = (time_t)(nanoseconds / 1000000000LL);
  time.tv_nsec = (long)(nanoseconds % 1000000000LL);
  return time;
}

/// Checks that at least `milliseconds` passed since `began`, and not absurdly more (the machine may be busy).
#define CHECK_TOOK(began, milliseconds)                               \
  do {                                                                \
    const double took = (seconds_now() - (began)) * 1000;             \
    if (took < (milliseconds)-1.0 || took > (milliseconds) + 5000) {    \
      printf("took %.1f ms instead of %d\n", took, (int)(milliseconds)); \
      check_failed(__FILE__, __LINE__, "took about " #milliseconds " ms"); \
    }                                                                 \
  } while (0)
