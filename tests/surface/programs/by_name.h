/// Calls by names that a compiler does not produce from source: libc's private ones, aliases, fortified variants.
/// coverage.py reads the names in BY_NAME(…) and counts them as called.
#pragma once
#include "../../programs/pairs.h"

#include <dlfcn.h>

static inline void* find_name(const char* name) {
  static const char* const versions[] = {"GLIBC_PRIVATE", "GLIBC_2.2.5"};
  void* found = dlsym(RTLD_DEFAULT, name);
  for (int i = 0; !found && i < 2; i++) found = dlvsym(RTLD_DEFAULT, name, versions[i]);
  if (!found) printf("%s: not in this libc\n", name);
  return found;
}

/// The function `name`, with the type of `like`. Null, and a line that says so, where libc has no such name.
#define BY_NAME(name, like) ((__typeof__(&like))find_name(#name))

/// Whether `condition` comes about while others run.
#define SOON(condition)                                          \
  ({                                                             \
    double until = seconds_now() + 20;                           \
    while (!(condition) && seconds_now() < until) sched_yield(); \
    !!(condition);                                               \
  })
