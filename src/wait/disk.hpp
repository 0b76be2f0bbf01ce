#pragma once

#include "hub/disk.hpp"
#include "wait/pool.hpp"

namespace guv {

/// A call of a file system, made on the hub.
template <class Call>
auto on_quick_disk(Call call) {
  const Stopwatch watch;
  const auto result = call();
  if (watch.late()) [[unlikely]]
    runtime().disk().was_late();
  return result;
}

/// A call that waits for nothing but a file system, and no signal ends. `places` are what it is about: paths and
/// descriptors.
template <class Call, class... Places>
auto on_disk(Call call, Places... places) {
  GreenThread* me = self();
  if (!me) return call();
  Disk& disk = runtime().disk();
  if (disk.answers_at_once(places...)) [[likely]] {
    me->hub->count_call();
    return on_quick_disk(call);
  }
  Errand errand;
  const auto result = runtime().offload().run([&] { return errand.run(call); });
  errand.report(disk);
  return result;
}

/// Likewise for a system call that is a cancellation point, and that may have more to wait for: then `attempt` says -EAGAIN.
template <class Attempt, class... Places>
long on_disk_or_cancelled(Attempt attempt, Places... places) {
  if (!self()) return native_call([&] { return attempt(Mode::native); });
  Disk& disk = runtime().disk();
  const auto call = [&] { return attempt(Mode::native); };
  Errand errand;
  const long result = blocking(PoolWait(), [&](Mode mode) -> long {
    if (mode == Mode::native) return errand.run(call);
    if (!disk.answers_at_once(places...)) return -EAGAIN;
    const long tried = on_quick_disk([&] { return attempt(Mode::attempt); });
    if (tried == -EAGAIN) errand.expect_to_wait();
    return tried;
  });
  errand.report(disk);
  return result;
}

}  // namespace guv
