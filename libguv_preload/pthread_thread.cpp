// What a thread is called and has: ids, names, attributes, scheduling, keys. pthreads(7).
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/tcb.hpp"
#include "hub/thread_body.hpp"
#include "interpose.hpp"
#include "thread_id.hpp"

namespace guv {

namespace {

/// For calls in which libc hands the invented thread id of a green thread to the kernel: the hub's own id meanwhile.
class KernelTid {
 public:
  explicit KernelTid(pthread_t thread) : thread_(green_thread_of(thread)) {
    if (!thread_) return;
    before_ = tcb::tid_of(thread_->handle);
    tcb::set_tid(thread_->handle, static_cast<int>(sys::call(SYS_gettid)));
  }
  ~KernelTid() {
    if (thread_) tcb::set_tid(thread_->handle, before_);
  }
  KernelTid(const KernelTid&) = delete;
  KernelTid& operator=(const KernelTid&) = delete;

 private:
  GreenThread* thread_;
  int before_ = 0;
};

/// The green thread, unless it is the one the process began with; or null.
GreenThread* spawned(pthread_t thread) {
  GreenThread* target = green_thread_of(thread);
  return is_spawned(target) ? target : nullptr;
}

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(int, sched_yield, ()) {
  GreenThread* me = self();
  if (!me) return static_cast<int>(sys::result(sys::call(SYS_sched_yield)));
  me->hub->yield();
  test_asynchronous_cancel(*me);
  return 0;
}

GUV_INTERPOSE(void, thrd_yield, ()) { guv_wrap_sched_yield(); }

GUV_INTERPOSE(pid_t, gettid, ()) {
  GreenThread* me = self();
  return me ? tcb::tid_of(me->handle) : static_cast<pid_t>(sys::call(SYS_gettid));
}

GUV_INTERPOSE(int, pthread_getattr_np, (pthread_t thread, pthread_attr_t* attributes)) {
  GreenThread* target = spawned(thread);
  KernelTid tid(thread);
  if (const int error = real().pthread_getattr_np(thread, attributes)) return error;
  if (!target) return 0;
  pthread_attr_setstack(attributes, target->stack_low, target->stack_size);
  pthread_attr_setguardsize(attributes, target->guard_size);
  const bool detached = target->join == GreenThread::Join::detached;
  pthread_attr_setdetachstate(attributes, detached ? PTHREAD_CREATE_DETACHED : PTHREAD_CREATE_JOINABLE);
  return 0;
}

GUV_INTERPOSE(int, pthread_setname_np, (pthread_t thread, const char* name)) {
  GreenThread* target = spawned(thread);
  if (!target) {
    // The main thread's name is the process's.
    const int error = real().pthread_setname_np(thread, name);
    if (GreenThread* first = green_thread_of(thread); first && !error) strcpy(first->name, name);
    return error;
  }
  if (strlen(name) >= sizeof target->name) return ERANGE;
  strcpy(target->name, name);
  return 0;
}

GUV_INTERPOSE(int, pthread_getname_np, (pthread_t thread, char* name, size_t size)) {
  GreenThread* target = spawned(thread);
  if (!target) return real().pthread_getname_np(thread, name, size);
  if (size < sizeof target->name) return ERANGE;
  if (*target->name) {
    strcpy(name, target->name);
    return 0;
  }
  return real().pthread_getname_np(runtime().main_thread().pthread(), name, size);
}

GUV_INTERPOSE(int, pthread_setaffinity_np, (pthread_t thread, size_t size, const cpu_set_t* set)) {
  KernelTid tid(thread);
  return real().pthread_setaffinity_np(thread, size, set);
}

GUV_INTERPOSE(int, pthread_getaffinity_np, (pthread_t thread, size_t size, cpu_set_t* set)) {
  KernelTid tid(thread);
  return real().pthread_getaffinity_np(thread, size, set);
}

GUV_INTERPOSE(int, pthread_getschedparam, (pthread_t thread, int* policy, sched_param* parameters)) {
  if (const GreenThread* target = spawned(thread); target && target->policy >= 0) {
    *policy = target->policy;
    parameters->sched_priority = target->priority;
    return 0;
  }
  KernelTid tid(thread);
  return real().pthread_getschedparam(thread, policy, parameters);
}

GUV_INTERPOSE(int, pthread_setschedparam, (pthread_t thread, int policy, const sched_param* parameters)) {
  KernelTid tid(thread);
  const int error = real().pthread_setschedparam(thread, policy, parameters);
  if (GreenThread* target = spawned(thread); target && !error) target->policy = -1;
  return error;
}

GUV_INTERPOSE(int, pthread_setschedprio, (pthread_t thread, int priority)) {
  KernelTid tid(thread);
  return real().pthread_setschedprio(thread, priority);
}

GUV_INTERPOSE(int, pthread_getcpuclockid, (pthread_t thread, clockid_t* clock)) {
  KernelTid tid(thread);
  return real().pthread_getcpuclockid(thread, clock);
}

GUV_INTERPOSE(int, pthread_key_create, (pthread_key_t * key, void (*destructor)(void*))) {
  const int error = real().pthread_key_create(key, destructor);
  if (!error) keys::created(*key, destructor);
  return error;
}

GUV_INTERPOSE(int, pthread_key_delete, (pthread_key_t key)) {
  const int error = real().pthread_key_delete(key);
  if (!error) keys::deleted(key);
  return error;
}
