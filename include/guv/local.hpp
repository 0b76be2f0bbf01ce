#pragma once

#include <pthread.h>

#include <memory>
#include <system_error>
#include <utility>

#include "guv/error.hpp"

/// Variables of which every thread has its own.
namespace guv {
inline namespace v1 {

/// A T for each thread, green or kernel, made when the thread first asks for it and destroyed when the thread ends.
/// Unlike thread_local it may be a member, or made at run time. One of these takes a key of pthread_key_create(3), of
/// which a process has 1024. The values of threads that are alive when the Local goes are not destroyed.
template <class T>
class Local {
 public:
  Local() {
    const int error = pthread_key_create(&key_, [](void* value) { delete static_cast<T*>(value); });
    if (error) throw std::system_error(error, std::generic_category(), "guv::Local");
  }
  ~Local() {
    delete static_cast<T*>(pthread_getspecific(key_));
    pthread_key_delete(key_);
  }
  Local(const Local&) = delete;
  Local& operator=(const Local&) = delete;

  /// The calling thread's own, value-initialized at first.
  T& get() {
    if (void* value = pthread_getspecific(key_)) return *static_cast<T*>(value);
    auto fresh = std::make_unique<T>();
    if (const int error = pthread_setspecific(key_, fresh.get())) {
      throw std::system_error(error, std::generic_category(), "guv::Local");
    }
    return *fresh.release();
  }
  T& operator*() { return get(); }
  T* operator->() { return &get(); }

  /// Whether the calling thread has one.
  bool has() const { return pthread_getspecific(key_); }

  /// Destroys the calling thread's; the next get() makes another.
  void reset() {
    delete static_cast<T*>(pthread_getspecific(key_));
    pthread_setspecific(key_, nullptr);
  }

 private:
  pthread_key_t key_;
};

}  // namespace v1
}  // namespace guv
