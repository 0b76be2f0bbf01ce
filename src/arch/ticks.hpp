#pragma once

#include <cstdint>

#include "base/clock.hpp"

namespace guv {

/// A counter that goes on while a thread sleeps and takes a few nanoseconds to read, on the processors that have one.
inline uint64_t ticks() {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  uint64_t value;
  __asm__ volatile("mrs %0, cntvct_el0" : "=r"(value));
  return value;
#else
  return static_cast<uint64_t>(now());
#endif
}

/// About that: nobody tells a program the frequency of x86's, which is between 1 and 5 GHz.
inline uint64_t ticks_per_millisecond() {
#if defined(__x86_64__)
  return 2'000'000;
#elif defined(__aarch64__)
  uint64_t frequency;
  __asm__("mrs %0, cntfrq_el0" : "=r"(frequency));
  return frequency / 1000;
#else
  return 1'000'000;
#endif
}

}  // namespace guv
