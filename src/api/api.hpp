#pragma once

#include <cerrno>

#include "base/clock.hpp"
#include "hub/hub.hpp"
#include "runtime.hpp"
#include "wait/address.hpp"

/// What the functions of guv.h share.
namespace guv::api {

/// Whether the caller is a callback of the hub, where nothing may wait.
inline bool on_the_loop() { return per_thread.hub && !per_thread.self; }

/// Calls `call()` on the hub's kernel thread, in a critical section, and returns when it has been made: at once there;
/// else the caller, a kernel thread, sleeps.
template <class Call>
auto on_hub(Call call) -> std::invoke_result_t<Call> {
  if (per_thread.hub) {
    const Critical critical;
    return call();
  }
  struct Job : Hub::Post {
    Call* call;
    std::invoke_result_t<Call> result{};
    std::atomic<uint32_t> done{0};
  } job;
  job.call = &call;
  job.Post::call = [](Hub::Post& post) {
    auto& job = static_cast<Job&>(post);
    job.result = (*job.call)();
    // The sleeper returns, and the job is gone, as soon as it sees this.
    const void* address = &job.done;
    job.done.store(1, std::memory_order_seq_cst);
    runtime().lot().unpark_all(address);
  };
  runtime().hub().post(job);
  AddressWait on(&job.done, EBUSY);
  blocking(on, [&](Mode) -> long { return job.done.load() ? 0 : EBUSY; });
  return job.result;
}

/// Waits for `on` while `busy()`; 0 or a negative errno value. Before it gives up it asks `leave()`, which may say that
/// it is too late for that: 0.
template <class On, class Busy, class Leave>
int wait_for(On on, Busy busy, Leave leave) {
  const auto give_up = [&](int error) { return leave() ? error : 0; };
  if (on_the_loop()) return busy() ? give_up(-EDEADLK) : 0;
  if (!runtime_started() && !start_runtime()) return busy() ? give_up(-ENOTSUP) : 0;
  GreenThread* me = self();
  // What ends the wait is looked at here, where what was waited for goes before it.
  const long result = blocking(on, [&](Mode) -> long {
    if (!busy()) return 0;
    if (!me || (!cancel_due(*me) && me->interrupts.empty())) return EBUSY;
    return give_up(ECANCELED);
  });
  if (result == ETIMEDOUT) return give_up(-ETIMEDOUT);
  if (result != ECANCELED) return 0;
  on.abandoned();
  test_cancel(*me);
  return -Hub::take_interrupt(*me);
}

/// Waits at `address` while `busy()`; 0 or a negative errno value.
template <class Busy>
int wait_at(const void* address, int64_t until, Busy busy) {
  return wait_for(AddressWait(address, EBUSY, Deadline::at(until)), busy, [] { return true; });
}

}  // namespace guv::api
