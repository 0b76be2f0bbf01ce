/// A directory for a program that changes its working directory; `top` is to be made by mkdtemp.
#pragma once
#include "check.h"

static char top[] = "/tmp/guv-top-XXXXXX";

/// The path of `name` there; holds for four more calls.
static inline const char* in_top(const char* name) {
  static char paths[5][64];
  static int next;
  char* path = paths[next++ % 5];
  snprintf(path, sizeof paths[0], "%s/%s", top, name);
  return path;
}
