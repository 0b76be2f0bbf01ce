#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "guv/detail/lock.hpp"
#include "guv/green_thread.hpp"
#include "guv/hub.hpp"

namespace guv {
inline namespace v1 {
namespace detail {

/// Calls to be made on the hub when something happens: what rawlink() and unlink() manage. The lock is that of what
/// they are part of. Each call is checked once more on the hub: what has been unlinked, or whose Links are gone, is not
/// called.
class Links {
 public:
  struct Link {
    std::function<void()> call;
    std::atomic<bool> removed{false};
  };
  using List = std::vector<std::shared_ptr<Link>>;
  using Snapshot = std::shared_ptr<const List>;

  explicit Links(Lock& lock) : lock_(lock) {}
  ~Links() {
    if (!list_) return;
    for (const auto& link : *list_) link->removed = true;
  }
  Links(const Links&) = delete;
  Links& operator=(const Links&) = delete;

  /// Adds a call; it is to be made at once if `due()`, which is asked under the lock.
  template <class Due>
  LinkId add(std::function<void()> call, Due due) {
    auto link = std::make_shared<Link>();
    link->call = std::move(call);
    bool now = false;
    replace([&](List& list) { list.push_back(link); }, [&] { now = due(); });
    if (now) post(link);
    return LinkId(link.get());
  }

  /// Takes a call back; whether there was one.
  bool remove(LinkId id) {
    bool found = false;
    replace(
        [&](List& list) {
          found = std::erase_if(list, [&](const auto& link) {
            if (link.get() != id.link_) return false;
            link->removed = true;
            return true;
          });
        },
        [] {});
    return found;
  }

  /// Under the lock: those to be called.
  Snapshot snapshot() const { return list_; }

  /// Has them called on the hub. Without the lock.
  static void post(const Snapshot& links) {
    if (!links) return;
    for (const auto& link : *links) post(link);
  }

 private:
  static void post(const std::shared_ptr<Link>& link) {
    call_on_hub([link] {
      if (!link->removed) call_link(link->call);
    });
  }

  // A list that somebody may be looking at is not changed: another takes its place.
  template <class Change, class Meanwhile>
  void replace(Change change, Meanwhile meanwhile) {
    for (;;) {
      const Snapshot before = locked_snapshot();
      auto after = before ? std::make_shared<List>(*before) : std::make_shared<List>();
      change(*after);
      Snapshot fresh = std::move(after);
      const std::lock_guard guard(lock_);
      if (list_ != before) continue;
      list_.swap(fresh);
      return meanwhile();
    }
  }

  Snapshot locked_snapshot() const {
    const std::lock_guard guard(lock_);
    return list_;
  }

  Lock& lock_;
  Snapshot list_;
};

}  // namespace detail
}  // namespace v1
}  // namespace guv
