// The end of threads, and who waits for it. pthread_join(3), pthread_detach(3), pthread_exit(3).
#include "interpose.hpp"
#include "thread_id.hpp"

namespace guv {

namespace {

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

}  // namespace

}  // namespace guv

using namespace guv;

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
  GreenThread* target = green_thread_of(thread);
  if (!is_spawned(target)) return real().pthread_detach(thread);
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
