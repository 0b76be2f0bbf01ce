#pragma once

#include <poll.h>

#include <memory>
#include <new>

#include "base/config.hpp"
#include "hub/hub.hpp"
#include "wait/blocking.hpp"

namespace guv {

/// Waits until one of several descriptors may have become ready, or for the clock alone. The attempt (a real poll with
/// time-out 0) says 0 while there is nothing, and POLLNVAL or EBADF once a descriptor has been closed.
class PollWait : public PlainWait {
 public:
  /// `timeout`: null waits for ever.
  explicit PollWait(const timespec* timeout) : patience_(timeout), at_once_(patience_.at_once()) {}

  /// The descriptors: when there is need to wait, fill(add) calls add(fd, direction) at most `most` times.
  template <class Fill>
  class Of;

  bool would_block(long result) const { return result == 0 && !at_once_; }
  Deadline deadline() { return patience_.until(); }
  long give_up(int reason) const { return reason == ETIMEDOUT ? 0 : -reason; }

  /// See Patience.
  timespec* left() { return patience_.left(); }

  static constexpr OnHandler on_handler = OnHandler::end;

 private:
  Patience patience_;
  bool at_once_;
};

template <class Fill>
class PollWait::Of : public PollWait {
 public:
  Of(const timespec* timeout, size_t most, Fill fill) : PollWait(timeout), most_(most), fill_(fill) {}

  Arm arm(GreenThread* me) {
    // malloc may wait: for a lock, or for a file that it reads before it makes many arenas.
    const bool others_ran = most_ > usual && !many_;
    if (!make_room()) return Arm::offload;
    Critical critical;
    bool complete = true;
    count_ = 0;
    fill_([&](int fd, Direction direction) {
      FdWaiter& waiter = waiters()[count_++];
      waiter.thread = me;
      waiter.fd = fd;
      waiter.direction = direction;
      waiter.consumes = false;
      const int error = me->hub->poller().watch(waiter);
      // EPERM: always ready, so it is not what is waited for.
      complete &= error == 0 || error == EPERM || error == EBADF;
    });
    if (!complete) return Arm::offload;
    return others_ran ? Arm::look_again : Arm::park;
  }
  void disarm() {
    Critical critical;
    for (size_t i = 0; i < count_; ++i) waiters()[i].unlink();
    count_ = 0;
  }

 private:
  static constexpr size_t usual = 8;

  FdWaiter* waiters() { return many_ ? many_.get() : few_; }
  bool make_room() {
    if (most_ > usual && !many_) many_.reset(new (std::nothrow) FdWaiter[most_]);
    return most_ <= usual || many_;
  }

  size_t most_;
  Fill fill_;
  size_t count_ = 0;
  FdWaiter few_[usual];
  std::unique_ptr<FdWaiter[]> many_;
};

/// poll(2)'s way of saying what is waited for: any event but POLLOUT makes a descriptor readable; POLLERR and POLLHUP,
/// which come unasked, make it both.
template <class Add>
void add_events(int fd, short events, Add add) {
  constexpr short writes = POLLOUT | POLLWRNORM | POLLWRBAND;
  if (fd < 0) return;
  if (events & writes) add(fd, writing);
  if (!(events & writes) || (events & ~writes)) add(fd, reading);
}

}  // namespace guv
