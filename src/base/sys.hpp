#pragma once

#include <errno.h>
#include <sys/syscall.h>

#include <cstddef>
#include <type_traits>

/// Raw system calls. libc's own entries may be patched to lead back to guv, so guv never calls them for I/O: a result
/// here is the kernel's own (-errno on failure) and errno is untouched until a wrapper says so with `sys::result`.
namespace guv::sys {

#if defined(__x86_64__)
inline long call6(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
inline long call6(long number, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
  return x0;
}
#else
#error "guv needs a raw system call for this machine: add it here"
#endif

template <class T>
long word(T value) {
  if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<long>(value);
  } else {
    return static_cast<long>(value);
  }
}
inline long word(decltype(nullptr)) { return 0; }

/// Makes system call `number`; returns what the kernel returned, -errno on failure.
template <class... Args>
long call(long number, Args... args) {
  static_assert(sizeof...(Args) <= 6);
  const long words[6] = {word(args)...};
  return call6(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

/// Of the kernel's sigset_t; libc's is larger.
constexpr size_t signal_set_size = 8;

inline bool failed(long result) { return static_cast<unsigned long>(result) >= static_cast<unsigned long>(-4095L); }

/// Turns the kernel's answer into libc's: -1 and errno on failure, errno untouched on success.
inline long result(long kernel_result) {
  if (failed(kernel_result)) [[unlikely]] {
    errno = static_cast<int>(-kernel_result);
    return -1;
  }
  return kernel_result;
}

}  // namespace guv::sys
