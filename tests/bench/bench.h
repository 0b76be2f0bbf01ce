// What the small benchmarks share. Each is a plain program that measures one thing and prints it; tools/bench runs it
// natively and under guv, pinned to one CPU.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/// Ends the program with a message when a pthread function returned an error.
static inline void check(int error, const char* what) {
  if (error == 0) return;
  fprintf(stderr, "%s: %s\n", what, strerror(error));
  exit(1);
}

/// The first argument in milliseconds, else `otherwise`, as ns: for how long to measure.
static inline int64_t duration_ns(int argc, char** argv, int64_t otherwise) {
  return (argc > 1 ? atoll(argv[1]) : otherwise) * 1000000;
}

static inline int compare_doubles(const void* left, const void* right) {
  double a = *(const double*)left, b = *(const double*)right;
  return (a > b) - (a < b);
}

static inline double median(double* values, size_t count) {
  qsort(values, count, sizeof *values, compare_doubles);
  return values[count / 2];
}
