// Waiting at an address, for time, and for others to run.
#include "api/api.hpp"
#include "guv/guv.h"

using namespace guv;

extern "C" {

int64_t guv_now(void) { return now(); }

int guv_wait(const void* address, int (*busy)(void*), void* argument, int64_t deadline) {
  return api::wait_at(address, deadline, [=] { return busy(argument); });
}

size_t guv_wake(const void* address, size_t limit) {
  return runtime_started() ? runtime().lot().unpark(address, limit) : 0;
}

int guv_yield(void) {
  GreenThread* me = self();
  if (!me) {
    if (!api::on_the_loop()) sys::call(SYS_sched_yield);
    return 0;
  }
  me->hub->yield();
  test_cancel(*me);
  return -Hub::take_interrupt(*me);
}

int guv_sleep_until(int64_t deadline) {
  if (Deadline::at(deadline).passed()) return guv_yield();
  const char nobody_wakes_this = 0;
  const int result = api::wait_at(&nobody_wakes_this, deadline, [] { return true; });
  return result == -ETIMEDOUT ? 0 : result;
}

}  // extern "C"
