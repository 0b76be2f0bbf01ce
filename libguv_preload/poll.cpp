// poll(2), select(2): asked with time-out 0, then parked on all descriptors at once.
#include <poll.h>
#include <string.h>
#include <sys/select.h>

#include "interpose.hpp"
#include "wait/poll.hpp"

namespace guv {

namespace {

bool acceptable(const timespec* timeout) { return !timeout || (timeout->tv_sec >= 0 && valid(*timeout)); }

long poll_until(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask) {
  if (!acceptable(timeout)) return -EINVAL;
  signals::MaskDuringCall during(self(), mask);
  const auto waiting = [=](auto add) {
    for (nfds_t i = 0; i < count; ++i) add_events(fds[i].fd, fds[i].events, add);
  };
  PollWait::Of on(timeout, 2 * count, waiting);
  return blocking(on, [&](Mode mode) {
    timespec no_time{};
    return sys::call(SYS_ppoll, fds, count, mode == Mode::native ? on.left() : &no_time,
                     mode == Mode::native ? mask : nullptr, sys::signal_set_size);
  });
}

int poll_for(pollfd* fds, nfds_t count, int milliseconds) {
  const timespec limit = to_timespec(int64_t{milliseconds} * 1'000'000);
  return static_cast<int>(sys::result(poll_until(fds, count, milliseconds < 0 ? nullptr : &limit, nullptr)));
}

/// The three sets of a select call, which the kernel overwrites with its answer: what the program asked for is kept,
/// and asked again at each attempt.
class Sets {
 public:
  Sets(int count, fd_set* read, fd_set* write, fd_set* except) : count_(count), theirs_{read, write, except} {
    const size_t words = (static_cast<size_t>(count) + word_bits - 1) / word_bits;
    size_ = words * sizeof(Word);
    if (3 * words > sizeof usual_ / sizeof(Word)) more_.reset(new (std::nothrow) Word[3 * words]);
    Word* memory = more_ ? more_.get() : usual_;
    for (int i = 0; i < 3; ++i, memory += words) {
      asked_[i] = memory;
      if (theirs_[i]) memcpy(memory, theirs_[i], size_);
    }
  }
  /// False when there is no memory for a copy of so many.
  bool complete() const { return more_ || 3 * size_ <= sizeof usual_; }

  void restore() const {
    for (int i = 0; i < 3; ++i) {
      if (theirs_[i]) memcpy(theirs_[i], asked_[i], size_);
    }
  }

  template <class Add>
  void each(Add add) const {
    for (int fd = 0; fd < count_; ++fd) {
      if (asked(0, fd) || asked(2, fd)) add(fd, reading);
      if (asked(1, fd)) add(fd, writing);
    }
  }

 private:
  using Word = unsigned long;  // the kernel's fd_set is made of these
  static constexpr size_t word_bits = 8 * sizeof(Word);

  bool asked(int set, int fd) const {
    const auto index = static_cast<size_t>(fd);
    return theirs_[set] && asked_[set][index / word_bits] >> index % word_bits & 1;
  }

  int count_;
  size_t size_;
  fd_set* theirs_[3];
  Word* asked_[3];
  Word usual_[3 * FD_SETSIZE / word_bits];
  std::unique_ptr<Word[]> more_;
};

/// `left`: where select(2) writes what remains of the time-out.
long select_until(int count, fd_set* read, fd_set* write, fd_set* except, const timespec* timeout, const sigset_t* mask,
                  timespec* left) {
  struct {
    const sigset_t* mask;
    size_t size;
  } const masking{mask, sys::signal_set_size};
  timespec limit = timeout ? *timeout : timespec{};
  if (!self()) {
    const long result = native_call(
        [&] { return sys::call(SYS_pselect6, count, read, write, except, timeout ? &limit : nullptr, &masking); });
    if (left) *left = limit;
    return result;
  }
  if (count < 0 || !acceptable(timeout)) return -EINVAL;
  signals::MaskDuringCall during(self(), mask);
  const Sets sets(count, read, write, except);
  if (!sets.complete()) return -ENOMEM;
  const auto waiting = [&](auto add) { sets.each(add); };
  PollWait::Of on(timeout, 2 * static_cast<size_t>(count), waiting);
  const long result = blocking(on, [&](Mode mode) {
    timespec no_time{};
    sets.restore();
    return sys::call(SYS_pselect6, count, read, write, except, mode == Mode::native ? on.left() : &no_time, nullptr);
  });
  // select(2): on error the sets are unmodified.
  if (sys::failed(result)) sets.restore();
  if (left) *left = *on.left();
  return result;
}

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(int, poll, (pollfd * fds, nfds_t count, int milliseconds)) { return poll_for(fds, count, milliseconds); }

GUV_INTERPOSE(int, ppoll, (pollfd * fds, nfds_t count, const timespec* timeout, const sigset_t* mask)) {
  return static_cast<int>(sys::result(poll_until(fds, count, timeout, mask)));
}

GUV_INTERPOSE_UNDECLARED(int, __poll_chk, (pollfd * fds, nfds_t count, int milliseconds, size_t size)) {
  if (size / sizeof *fds < count) __chk_fail();
  return poll_for(fds, count, milliseconds);
}

GUV_INTERPOSE_UNDECLARED(int, __ppoll_chk,
                         (pollfd * fds, nfds_t count, const timespec* timeout, const sigset_t* mask, size_t size)) {
  if (size / sizeof *fds < count) __chk_fail();
  return static_cast<int>(sys::result(poll_until(fds, count, timeout, mask)));
}

GUV_INTERPOSE(int, select, (int count, fd_set* read, fd_set* write, fd_set* except, timeval* timeout)) {
  if (!timeout) {
    return static_cast<int>(sys::result(select_until(count, read, write, except, nullptr, nullptr, nullptr)));
  }
  if (timeout->tv_sec < 0 || timeout->tv_usec < 0) {
    errno = EINVAL;
    return -1;
  }
  // More than a second of microseconds is allowed (glibc's select, unlike the kernel's).
  timespec limit{timeout->tv_sec, timeout->tv_usec % 1'000'000 * 1000};
  if (__builtin_add_overflow(limit.tv_sec, timeout->tv_usec / 1'000'000, &limit.tv_sec)) limit.tv_sec = INT64_MAX;
  timespec left = limit;
  const long result = select_until(count, read, write, except, &limit, nullptr, &left);
  *timeout = {left.tv_sec, left.tv_nsec / 1000};
  return static_cast<int>(sys::result(result));
}

GUV_INTERPOSE(int, pselect, (int count, fd_set* read, fd_set* write, fd_set* except, const timespec* timeout,
                             const sigset_t* mask)) {
  return static_cast<int>(sys::result(select_until(count, read, write, except, timeout, mask, nullptr)));
}
