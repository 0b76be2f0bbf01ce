// Sleeping. nanosleep(2), clock_nanosleep(2), sleep(3), usleep(3), thrd_sleep(3).
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "interpose.hpp"
#include "wait/pool.hpp"

namespace guv {

namespace {

/// Sleeps until `until`; 0, or EINTR when a handler ran. The rest goes to `remaining` as nanosleep leaves it.
int sleep_until(Deadline until, timespec* remaining) {
  // A sleep of no length is still a chance for the others (sched_yield's cousin); the kernel's takes 50 µs.
  if (until.passed()) self()->hub->yield();
  const long result = blocking(TimeWait(until), [](Mode) -> long { return -EAGAIN; });
  if (result == 0) return 0;
  if (remaining) *remaining = to_timespec(until.left());
  return static_cast<int>(-result);
}

/// Clocks of processor time, which only the kernel knows.
int sleep_on_helper(clockid_t clock, int flags, timespec request, timespec* remaining) {
  const auto call = [&] {
    // Interrupted, a relative sleep says what is left of it: it may have to go on.
    timespec left = request;
    const long result = sys::call(SYS_clock_nanosleep, clock, flags, &request, &left);
    request = left;
    return result;
  };
  const long result = on_helper(call, OnHandler::end);
  if (result == -EINTR && remaining && !(flags & TIMER_ABSTIME)) *remaining = request;
  return static_cast<int>(-result);
}

bool on_the_wheel(clockid_t clock) {
  return clock == CLOCK_MONOTONIC || clock == CLOCK_REALTIME || clock == CLOCK_BOOTTIME || clock == CLOCK_TAI;
}

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(int, clock_nanosleep, (clockid_t clock, int flags, const timespec* request, timespec* remaining)) {
  GreenThread* me = self();
  if (clock == CLOCK_THREAD_CPUTIME_ID) return EINVAL;  // POSIX; glibc does not ask the kernel either
  if (!me) {
    return static_cast<int>(
        -native_call([=] { return sys::call(SYS_clock_nanosleep, clock, flags, request, remaining); }));
  }
  if (request && !on_the_wheel(clock)) return sleep_on_helper(clock, flags, *request, remaining);
  timespec wanted;
  // By way of the kernel, so that a bad pointer is EFAULT and a bad value EINVAL: a sleep that is over at once.
  if (!request) return EFAULT;
  wanted = *request;
  if (wanted.tv_sec < 0 || !valid(wanted)) return EINVAL;
  if (!(flags & TIMER_ABSTIME)) return sleep_until(Deadline::in(wanted), remaining);
  // CLOCK_REALTIME may be set meanwhile: look again when its deadline, as it seemed, has come.
  for (;;) {
    if (const int error = sleep_until(Deadline::on(clock, wanted), nullptr)) return error;
    timespec current;
    clock_gettime(clock, &current);
    if (current.tv_sec > wanted.tv_sec || (current.tv_sec == wanted.tv_sec && current.tv_nsec >= wanted.tv_nsec))
      return 0;
  }
}

GUV_INTERPOSE(int, nanosleep, (const timespec* request, timespec* remaining)) {
  return static_cast<int>(sys::result(-guv_wrap_clock_nanosleep(CLOCK_MONOTONIC, 0, request, remaining)));
}

GUV_INTERPOSE(int, usleep, (useconds_t microseconds)) {
  const timespec request{static_cast<time_t>(microseconds / 1'000'000),
                         static_cast<long>(microseconds % 1'000'000) * 1000};
  return guv_wrap_nanosleep(&request, nullptr);
}

GUV_INTERPOSE(unsigned, sleep, (unsigned seconds)) {
  const int saved_errno = errno;
  timespec left{static_cast<time_t>(seconds), 0};
  if (guv_wrap_nanosleep(&left, &left) != 0)
    return static_cast<unsigned>(left.tv_sec);  // glibc: the fraction is dropped
  errno = saved_errno;
  return 0;
}

GUV_INTERPOSE(int, thrd_sleep, (const timespec* request, timespec* remaining)) {
  const int error = guv_wrap_clock_nanosleep(CLOCK_REALTIME, 0, request, remaining);
  return error == 0 ? 0 : error == EINTR ? -1 : -2;
}
