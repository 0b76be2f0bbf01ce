#pragma once

#include <atomic>

namespace guv {

/// Writes one line, `guv: …`, to standard error in a single write. May be called from a signal handler: allocates
/// nothing and touches no stdio lock.
__attribute__((format(printf, 1, 2))) void say(const char* format, ...);

/// As `say`, but only under GUV_VERBOSE.
__attribute__((format(printf, 1, 2))) void say_verbosely(const char* format, ...);

/// As `say`, at most once for each call site's `already` flag.
#define GUV_SAY_ONCE(...)                                \
  do {                                                   \
    static std::atomic<bool> guv_said{false};            \
    if (!guv_said.exchange(true)) guv::say(__VA_ARGS__); \
  } while (0)

/// A broken invariant: says the sentence and aborts. Stays on in release builds.
#define GUV_ASSERT(condition, sentence)          \
  do {                                           \
    if (!(condition)) [[unlikely]]               \
      guv::broken(sentence, __FILE__, __LINE__); \
  } while (0)
[[noreturn]] void broken(const char* sentence, const char* file, int line);

}  // namespace guv
