/// Blocking one signal in the calling thread.
#pragma once
#include "check.h"
#include <signal.h>

static inline void change_mask(int how, int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  errno = pthread_sigmask(how, &set, NULL);
  CHECK(errno == 0);
}
