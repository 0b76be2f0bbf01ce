#pragma once

#include <sys/wait.h>

#include <atomic>

#include "base/spinlock.hpp"
#include "hub/offload.hpp"

namespace guv {

/// Tells waiting threads that a child of theirs has changed state. Where the kernel has no descriptor for the question (any
/// child, a process group, stopped children) a helper asks it by waitid, which leaves the child to be reaped: one helper
/// for each different question, however many threads ask it.
///
/// A helper stays in waitid when its askers have left (EINTR): the next who asks the same finds it there.
class Children {
 public:
  struct Question {
    idtype_t type;
    id_t id;
    int options;
    bool operator==(const Question&) const = default;
  };

  /// What threads that ask one question have in common; they park on its address.
  class Watch {
   public:
    Watch() = default;
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    friend class Children;
    Question question_{};
    int askers_ = 0;
    std::atomic<bool> asking_{false};  // a helper is in waitid
    Trip trip_;
  };

  /// Null when too many different questions are being asked.
  Watch* join(const Question& question);
  void leave(Watch& watch);

  /// Makes sure that whoever is parked on `watch` by now will be unparked; false if there is no helper to be had.
  bool ask(Watch& watch);

  void after_fork();

 private:
  static constexpr int most = 32;
  static void wait_on_helper(void* watch);

  Spinlock lock_;
  Watch watches_[most];
};

}  // namespace guv
