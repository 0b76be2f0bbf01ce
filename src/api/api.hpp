#pragma once

#include <cerrno>

#include "base/clock.hpp"
#include "hub/hub.hpp"
#include "runtime.hpp"
#include "wait/address.hpp"

/// What the functions of guv.h share.
namespace guv::api {

inline Deadline deadline(int64_t nanoseconds) { return Deadline::at(nanoseconds); }

/// Whether the caller is a callback of the hub, where nothing may wait.
inline bool on_the_loop() { return per_thread.hub && !per_thread.self; }

/// Calls `call()` on the hub's kernel thread, in a critical section, and returns when it has been made: at once there; else
/// the caller, a kernel thread, sleeps.
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

/// Waits at `address` while `busy()`; 0 or a negative errno value.
template <class Busy>
int wait_at(const void* address, int64_t until, Busy busy) {
  if (on_the_loop()) return busy() ? -EDEADLK : 0;
  AddressWait on(address, EBUSY, deadline(until));
  on.cancellation_point = true;
  return -static_cast<int>(blocking(on, [&](Mode) -> long { return busy() ? EBUSY : 0; }));
}

}  // namespace guv::api
