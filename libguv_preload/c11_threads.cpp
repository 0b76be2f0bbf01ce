// C11 threads are pthreads by other names, in glibc as here; only the result codes differ. threads.h
#include <threads.h>

#include "hub/thread_body.hpp"
#include "interpose.hpp"

extern "C" {
int guv_wrap_pthread_create(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
int guv_wrap_pthread_join(pthread_t, void**);
int guv_wrap_pthread_detach(pthread_t);
void guv_wrap_pthread_exit(void*);
int guv_wrap_pthread_mutex_lock(pthread_mutex_t*);
int guv_wrap_pthread_mutex_trylock(pthread_mutex_t*);
int guv_wrap_pthread_mutex_timedlock(pthread_mutex_t*, const timespec*);
int guv_wrap_pthread_mutex_unlock(pthread_mutex_t*);
int guv_wrap_pthread_cond_wait(pthread_cond_t*, pthread_mutex_t*);
int guv_wrap_pthread_cond_timedwait(pthread_cond_t*, pthread_mutex_t*, const timespec*);
int guv_wrap_pthread_cond_signal(pthread_cond_t*);
int guv_wrap_pthread_cond_broadcast(pthread_cond_t*);
int guv_wrap_pthread_key_create(pthread_key_t*, void (*)(void*));
int guv_wrap_pthread_key_delete(pthread_key_t);
}

namespace guv {

namespace {

int to_thrd(int error) {
  switch (error) {
    case 0: return thrd_success;
    case ENOMEM: return thrd_nomem;
    case ETIMEDOUT: return thrd_timedout;
    case EBUSY: return thrd_busy;
    default: return thrd_error;
  }
}

// A C11 start function returns int; glibc stores it as a pointer, as we do.
struct Start {
  thrd_start_t function;
  void* argument;
};

void* run_start(void* raw) {
  const Start start = *static_cast<Start*>(raw);
  delete static_cast<Start*>(raw);
  return reinterpret_cast<void*>(static_cast<intptr_t>(start.function(start.argument)));
}

pthread_mutex_t* posix(mtx_t* mutex) { return reinterpret_cast<pthread_mutex_t*>(mutex); }
pthread_cond_t* posix(cnd_t* cond) { return reinterpret_cast<pthread_cond_t*>(cond); }

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(int, thrd_create, (thrd_t * thread, thrd_start_t function, void* argument)) {
  auto* start = new (std::nothrow) Start{function, argument};
  if (!start) return thrd_nomem;
  const int error = guv_wrap_pthread_create(thread, nullptr, &run_start, start);
  if (error) delete start;
  return to_thrd(error == EAGAIN ? ENOMEM : error);
}

GUV_INTERPOSE(int, thrd_join, (thrd_t thread, int* result)) {
  void* value = nullptr;
  const int error = guv_wrap_pthread_join(thread, &value);
  if (!error && result) *result = static_cast<int>(reinterpret_cast<intptr_t>(value));
  return to_thrd(error);
}

GUV_INTERPOSE(int, thrd_detach, (thrd_t thread)) { return to_thrd(guv_wrap_pthread_detach(thread)); }

GUV_INTERPOSE(void, thrd_exit, (int result)) {
  guv_wrap_pthread_exit(reinterpret_cast<void*>(static_cast<intptr_t>(result)));
  __builtin_unreachable();
}

GUV_INTERPOSE(int, mtx_lock, (mtx_t * mutex)) { return to_thrd(guv_wrap_pthread_mutex_lock(posix(mutex))); }

GUV_INTERPOSE(int, mtx_trylock, (mtx_t * mutex)) { return to_thrd(guv_wrap_pthread_mutex_trylock(posix(mutex))); }

GUV_INTERPOSE(int, mtx_timedlock, (mtx_t * mutex, const timespec* until)) {
  return to_thrd(guv_wrap_pthread_mutex_timedlock(posix(mutex), until));
}

GUV_INTERPOSE(int, mtx_unlock, (mtx_t * mutex)) { return to_thrd(guv_wrap_pthread_mutex_unlock(posix(mutex))); }

GUV_INTERPOSE(int, cnd_wait, (cnd_t * cond, mtx_t* mutex)) {
  return to_thrd(guv_wrap_pthread_cond_wait(posix(cond), posix(mutex)));
}

GUV_INTERPOSE(int, cnd_timedwait, (cnd_t * cond, mtx_t* mutex, const timespec* until)) {
  return to_thrd(guv_wrap_pthread_cond_timedwait(posix(cond), posix(mutex), until));
}

GUV_INTERPOSE(int, cnd_signal, (cnd_t * cond)) { return to_thrd(guv_wrap_pthread_cond_signal(posix(cond))); }
GUV_INTERPOSE(int, cnd_broadcast, (cnd_t * cond)) { return to_thrd(guv_wrap_pthread_cond_broadcast(posix(cond))); }

GUV_INTERPOSE(int, tss_create, (tss_t * key, tss_dtor_t destructor)) {
  return to_thrd(guv_wrap_pthread_key_create(key, destructor));
}
GUV_INTERPOSE(void, tss_delete, (tss_t key)) { guv_wrap_pthread_key_delete(key); }
