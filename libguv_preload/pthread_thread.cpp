// Threads: creation, joining, identity, attributes. pthreads(7).
#include <dlfcn.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/config.hpp"
#include "base/tcb.hpp"
#include "hub/signals.hpp"
#include "hub/thread_body.hpp"
#include "interpose.hpp"
#include "lifecycle.hpp"
#include "native_threads.hpp"

namespace guv {

namespace {

// pthread_create's rules for what pthread_attr_t says; an errno, or 0.
int to_options(const pthread_attr_t* attributes, SpawnOptions& options) {
  if (!attributes) {
    options.stack_size = default_stack_size();
    return 0;
  }
  int detach_state = PTHREAD_CREATE_JOINABLE;
  pthread_attr_getdetachstate(attributes, &detach_state);
  options.detached = detach_state == PTHREAD_CREATE_DETACHED;
  void* low = nullptr;
  size_t size = 0;
  // Without a stack of its own the address reported is 0 - size (pthread_attr_getstack(3), glibc).
  if (pthread_attr_getstack(attributes, &low, &size) == 0 && low &&
      reinterpret_cast<uintptr_t>(low) + size != 0) {
    options.user_stack = static_cast<char*>(low);
    options.stack_size = size;
    options.guard_size = 0;
    return 0;
  }
  pthread_attr_getstacksize(attributes, &options.stack_size);
  pthread_attr_getguardsize(attributes, &options.guard_size);
  size_t library_default = 0;
  pthread_attr_t fresh;
  if (config().stack_size && pthread_attr_init(&fresh) == 0) {
    // GUV_STACK_SIZE is a default: it gives way to what the program asks for.
    pthread_attr_getstacksize(&fresh, &library_default);
    pthread_attr_destroy(&fresh);
    if (options.stack_size == library_default) options.stack_size = config().stack_size;
  }
  return 0;
}

// Whether the program has called pthread_setattr_default_np(3).
std::atomic<bool> default_chosen{false};

/// What the program wants for threads that are created without attributes, if it has said so.
class ChosenDefault {
 public:
  ChosenDefault() : chosen_(default_chosen.load() && pthread_getattr_default_np(&attributes_) == 0) {}
  ~ChosenDefault() {
    if (chosen_) pthread_attr_destroy(&attributes_);
  }
  ChosenDefault(const ChosenDefault&) = delete;
  ChosenDefault& operator=(const ChosenDefault&) = delete;
  const pthread_attr_t* attributes() const { return chosen_ ? &attributes_ : nullptr; }

 private:
  pthread_attr_t attributes_;
  bool chosen_;
};

/// PTHREAD_EXPLICIT_SCHED. The hub's policy is one for all its threads, so what differs can only be noted; but whether the
/// process may have it at all, and whether there is such a thing, is for the kernel to say: a helper thread tries it on.
struct Scheduling {
  int policy = -1;
  sched_param parameters{};

  int ask(const pthread_attr_t* attributes) {
    int inherit = PTHREAD_INHERIT_SCHED;
    if (!attributes || pthread_attr_getinheritsched(attributes, &inherit) != 0 || inherit == PTHREAD_INHERIT_SCHED) return 0;
    pthread_attr_getschedpolicy(attributes, &policy);
    pthread_attr_getschedparam(attributes, &parameters);
    sched_param hubs{};
    sys::call(SYS_sched_getparam, 0, &hubs);
    if (sys::call(SYS_sched_getscheduler, 0) == policy && hubs.sched_priority == parameters.sched_priority) return 0;
    return static_cast<int>(-offload([this, &hubs] {
      const long before = sys::call(SYS_sched_getscheduler, 0);
      const long result = sys::call(SYS_sched_setscheduler, 0, policy, &parameters);
      if (result == 0) sys::call(SYS_sched_setscheduler, 0, before, &hubs);
      return result;
    }));
  }
};

/// pthread_attr_setaffinity_np. The hub's processors are those of all its threads; but whether the process may have what is
/// asked for is for the kernel to say: a helper thread tries it.
int ask_affinity(const pthread_attr_t* attributes) {
  cpu_set_t wanted;
  if (!attributes || pthread_attr_getaffinity_np(attributes, sizeof wanted, &wanted) != 0) return 0;
  if (CPU_COUNT(&wanted) == CPU_SETSIZE) return 0;  // not asked for
  return static_cast<int>(-offload([&wanted] {
    cpu_set_t before;
    const long size = sys::call(SYS_sched_getaffinity, 0, sizeof before, &before);
    const long result = sys::call(SYS_sched_setaffinity, 0, sizeof wanted, &wanted);
    if (result == 0) sys::call(SYS_sched_setaffinity, 0, size, &before);
    return result;
  }));
}

int real_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument) {
  signals::MaskAsThread mask;
  return real().pthread_create(thread, attributes, start, argument);
}

int create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument,
           const void* caller) {
  const int saved_errno = errno;
  if (stays_native(caller) || (!self() && runtime_started()) || !start_runtime() || !self()) {
    return real_create(thread, attributes, start, argument);
  }
  const ChosenDefault chosen;
  if (!attributes) attributes = chosen.attributes();
  SpawnOptions options;
  if (const int error = to_options(attributes, options)) return error;
  Scheduling scheduling;
  if (const int error = scheduling.ask(attributes)) return error;
  if (const int error = ask_affinity(attributes)) return error;
  GreenThread* fresh = self()->hub->spawn(options, start, argument);
  if (!fresh) {
    // Natively those that are about to end do so meanwhile, and leave their stacks.
    self()->hub->yield();
    fresh = self()->hub->spawn(options, start, argument);
  }
  errno = saved_errno;
  if (!fresh) return EAGAIN;
  fresh->policy = scheduling.policy;
  fresh->priority = scheduling.parameters.sched_priority;
  sigset_t mask;
  if (attributes && pthread_attr_getsigmask_np(attributes, &mask) == 0) signals::begin_with_mask(*fresh, mask);
  *thread = fresh->pthread();
  return 0;
}

/// Joined already: libc knows too, until the memory is another thread's.
bool no_longer_exists(const GreenThread& target) {
  return target.join == GreenThread::Join::collected || target.join == GreenThread::Join::gone;
}

/// The rules of pthread_join(3) before there is anything to wait for; an errno, or 0.
int may_join(GreenThread* me, GreenThread& target) {
  if (no_longer_exists(target)) return ESRCH;
  if (target.join == GreenThread::Join::detached) return EINVAL;
  // glibc: no deadlock where one of the two is being cancelled.
  const bool ends_otherwise = (me && cancel_due(*me)) || (me != &target && target.cancel_requested);
  if ((me == &target || (me && target.joins == me)) && !ends_otherwise) return EDEADLK;
  if (target.join == GreenThread::Join::joining) return EINVAL;
  return 0;
}

int collect(GreenThread& target, void** result) {
  if (result) *result = target.result;
  target.joins = nullptr;
  if (target.slot) target.hub->release(&target);
  return 0;
}

/// While somebody joins it; undone when the join ends without the thread (time-out, cancellation).
class Joining {
 public:
  Joining(GreenThread* me, GreenThread& target) : me_(me), target_(target) {
    target_.join = GreenThread::Join::joining;
    if (me_) me_->joins = &target_;
  }
  ~Joining() {
    target_.join = GreenThread::Join::joinable;
    if (me_) me_->joins = nullptr;
  }
  Joining(const Joining&) = delete;
  Joining& operator=(const Joining&) = delete;

 private:
  GreenThread* me_;
  GreenThread& target_;
};

int join(GreenThread& target, void** result, Deadline until) {
  GreenThread* me = self();
  if (const int error = may_join(me, target)) return error;
  {
    Joining joining(me, target);
    AddressWait on(&target.finished, EBUSY, until);
    on.cancellation_point = true;
    const long waited = blocking(on, [&](Mode) -> long { return target.finished.load() ? 0 : EBUSY; });
    if (waited) return static_cast<int>(waited);
  }
  return collect(target, result);
}

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

/// A green thread other than the one the process began with.
GreenThread* spawned(pthread_t thread) {
  GreenThread* target = green_thread_of(thread);
  return target && target->slot ? target : nullptr;
}

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(int, pthread_create,
              (pthread_t * thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument)) {
  const bool closed_now = begin() && !is_open(Family::thread);
  if (closed_now) return real_create(thread, attributes, start, argument);
  return create(thread, attributes, start, argument, __builtin_return_address(0));
}

GUV_INTERPOSE(int, pthread_join, (pthread_t thread, void** result)) {
  if (GreenThread* target = green_thread_of(thread)) return join(*target, result, Deadline::never());
  return offload_wait([=] { return real().pthread_join(thread, result); });
}

GUV_INTERPOSE(int, pthread_tryjoin_np, (pthread_t thread, void** result)) {
  GreenThread* target = green_thread_of(thread);
  if (!target) return real().pthread_tryjoin_np(thread, result);
  if (!target->finished.load() || no_longer_exists(*target)) return EBUSY;  // the latter because libc looks no further
  const int error = may_join(self(), *target);
  return error ? error : collect(*target, result);
}

GUV_INTERPOSE(int, pthread_timedjoin_np, (pthread_t thread, void** result, const timespec* until)) {
  GreenThread* target = green_thread_of(thread);
  if (!target) return offload_wait([=] { return real().pthread_timedjoin_np(thread, result, until); });
  if (until && !valid(*until)) return EINVAL;
  return join(*target, result, until ? Deadline::on(CLOCK_REALTIME, *until) : Deadline::never());
}

GUV_INTERPOSE(int, pthread_clockjoin_np, (pthread_t thread, void** result, clockid_t clock, const timespec* until)) {
  GreenThread* target = green_thread_of(thread);
  if (!target) return offload_wait([=] { return real().pthread_clockjoin_np(thread, result, clock, until); });
  if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) return EINVAL;
  if (until && !valid(*until)) return EINVAL;
  return join(*target, result, until ? Deadline::on(clock, *until) : Deadline::never());
}

GUV_INTERPOSE(int, pthread_detach, (pthread_t thread)) {
  GreenThread* target = spawned(thread);
  if (!target) return real().pthread_detach(thread);
  if (no_longer_exists(*target)) return ESRCH;
  if (target->join == GreenThread::Join::detached) return EINVAL;
  if (target->join == GreenThread::Join::joining) return 0;  // glibc: the join goes on
  target->join = GreenThread::Join::detached;
  if (target->finished.load()) target->hub->release(target);
  return 0;
}

GUV_INTERPOSE(void, pthread_exit, (void* result)) {
  if (GreenThread* me = self()) {
    me->by_pthread_exit = true;
    me->result = result;
  }
  real().pthread_exit(result);
  __builtin_unreachable();
}

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

GUV_INTERPOSE(int, pthread_setattr_default_np, (const pthread_attr_t* attributes)) {
  static const auto real_set = GUV_NEXT(pthread_setattr_default_np);
  const int error = real_set(attributes);
  if (!error) default_chosen.store(true);
  ask_default_stack_size();
  return error;
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
