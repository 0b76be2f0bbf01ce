// Linked where the tests run under AddressSanitizer, which asks for the current thread's stack before every noreturn call.
// For a green thread libc's own answer is ESRCH, because the kernel does not know its thread id; the preload library has
// a wrapper for this, which the static core has not.
#include <dlfcn.h>
#include <pthread.h>

#include "hub/green_thread.hpp"

extern "C" __attribute__((visibility("default"))) int pthread_getattr_np(pthread_t thread, pthread_attr_t* attributes) noexcept {
  if (const guv::GreenThread* green = guv::per_thread.owner; green && green->id > 1 && green->pthread() == thread) {
    pthread_attr_init(attributes);
    return pthread_attr_setstack(attributes, green->stack_low, green->stack_size);
  }
  static const auto next = reinterpret_cast<decltype(&pthread_getattr_np)>(dlsym(RTLD_NEXT, "pthread_getattr_np"));
  return next(thread, attributes);
}
