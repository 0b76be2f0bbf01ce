#pragma once

#include <cstdint>

#include "arch/ticks.hpp"
#include "hub/mounts.hpp"

namespace guv {

/// Where calls that may wait for a file system are made: on the hub while these answer at once, from the kernel's caches;
/// on helpers once one has kept its caller waiting, until enough calls have been quick again. The kernel offers no way
/// of trying such calls, so they are timed. What lies on a network file system, which may not answer for ever, is never
/// asked on the hub.
///
/// Used by the hub's kernel thread only.
class Disk {
 public:
  Disk();

  /// Whether a call about `places` (paths, descriptors) may be made on the hub.
  template <class... Places>
  bool answers_at_once(Places... places) {
    if (calls_elsewhere_ == 0 && !mounts_.any_far()) [[likely]]
      return true;
    return nobody_waits() || (calls_elsewhere_ == 0 && !(mounts_.far(places) || ...));
  }

  /// From now on no call is made on the hub: the process has taken a lease (fcntl(2)), and opening that file waits until
  /// the thread that has it gives it up. On the hub's kernel thread, or before there is one.
  static void lease_taken();

  /// A call has taken long on the hub. The next few go to helpers, where it shows whether that was the disk.
  void was_late();
  /// A call on a helper is over.
  void was_elsewhere(bool waited);

  Mounts& mounts() { return mounts_; }

 private:
  // A disk may have one call in a hundred wait. A processor that other processes want has calls take long, too.
  static constexpr int a_few = 32, many = 8192;

  static bool nobody_waits();

  static inline bool process_has_lease_ = false;
  bool distrusted_;      // for good
  int calls_elsewhere_;  // as many as shall still go to helpers
  Mounts mounts_;
};

/// Times a call.
class Stopwatch {
 public:
  bool late() const { return ticks() - begin_ > ticks_per_millisecond(); }

 private:
  uint64_t begin_ = ticks();
};

/// A call made on a helper, and what has to be known of it afterwards on the hub.
class Errand {
 public:
  template <class Call>
  auto run(Call& call) {
    made_ = true;
    const long before = waits();
    const Stopwatch watch;
    const auto result = call();
    waited_ = watch.late() && waits() != before;
    return result;
  }
  /// It waits for something else than the disk, too.
  void expect_to_wait() { expected_to_wait_ = true; }
  /// On the hub again.
  void report(Disk& disk) const {
    if (made_) disk.was_elsewhere(waited_ && !expected_to_wait_);
  }

 private:
  static long waits();

  bool made_ = false, waited_ = false, expected_to_wait_ = false;
};

}  // namespace guv
