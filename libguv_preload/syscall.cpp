// syscall(2): Rust's std, C++20's atomic::wait, __cxa_guard and MariaDB make their futex calls through it; other programs
// call what their libc had no name for. Numbers whose call has a wrapper go there; the rest goes to the kernel.
#include <linux/futex.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mapping.hpp"
#include "interpose.hpp"
#include "wait/pool.hpp"

namespace guv {

namespace {

/// libstdc++ does not say private where it could (std::future, static initialisers): ask what the memory is.
bool is_private(int operation, const void* word) {
  return (operation & FUTEX_PRIVATE_FLAG) || !in_shared_mapping(word);
}

Deadline futex_deadline(int operation, const timespec* timeout) {
  if (!timeout) return Deadline::never();
  // FUTEX_WAIT takes a duration, the bitset form a point in time.
  if ((operation & FUTEX_CMD_MASK) == FUTEX_WAIT) return Deadline::in(*timeout);
  return Deadline::on(operation & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC, *timeout);
}

/// Waits until it is taken from the queue; enqueued if, and only if, the word still had its value.
class FutexWait : public AddressWait {
 public:
  FutexWait(AddressWaiter& waiter, Deadline until) : AddressWait(waiter.address, -EBUSY, until) {
    on_handler = OnHandler::restart_if_asked;
  }
  Arm arm(GreenThread*) const { return Arm::look_again; }
  void disarm() const {}
};

long futex_wait(uint32_t* word, int operation, uint32_t value, const timespec* timeout, uint32_t tags) {
  if (timeout && (!valid(*timeout) || timeout->tv_sec < 0)) return -EINVAL;
  if (tags == 0) return -EINVAL;
  AddressWaiter waiter;
  waiter.address = word;
  waiter.thread = self();
  waiter.tag = tags;
  struct Queued {
    AddressWaiter& waiter;
    ~Queued() { runtime().lot().dequeue(waiter); }
  } queued{waiter};
  if (!runtime().lot().enqueue_if(waiter, [=] { return __atomic_load_n(word, __ATOMIC_SEQ_CST) == value; })) return -EAGAIN;
  const long result =
      blocking(FutexWait(waiter, futex_deadline(operation, timeout)),
               [&](Mode) -> long { return waiter.queued.load(std::memory_order_acquire) ? -EBUSY : 0; });
  if (!runtime().lot().dequeue(waiter)) return 0;
  return result > 0 ? -result : result;
}

/// Wakes green waiters first, then those that sleep in the kernel.
long futex_wake(uint32_t* word, int operation, int limit, uint32_t tags) {
  if (limit <= 0) limit = 1;  // the kernel wakes one
  const size_t woken = runtime().lot().unpark(word, static_cast<size_t>(limit), tags);
  if (woken >= static_cast<size_t>(limit)) return static_cast<long>(woken);
  const long more = sys::call(SYS_futex, word, (operation & ~FUTEX_CMD_MASK) | FUTEX_WAKE_BITSET,
                              limit - static_cast<int>(woken), nullptr, nullptr, tags);
  return sys::failed(more) ? (woken ? static_cast<long>(woken) : more) : more + static_cast<long>(woken);
}

long futex_requeue(uint32_t* from, int operation, int wake, long move, uint32_t* to, uint32_t value) {
  const bool compare = (operation & FUTEX_CMD_MASK) == FUTEX_CMP_REQUEUE;
  if (compare && __atomic_load_n(from, __ATOMIC_SEQ_CST) != value) return -EAGAIN;
  const auto done = static_cast<long>(runtime().lot().requeue(from, to, static_cast<size_t>(wake), static_cast<size_t>(move)));
  if (done >= wake + move) return done;
  const long more = sys::call(SYS_futex, from, operation, wake, move, to, value);
  return sys::failed(more) ? done : done + more;
}

long futex_wake_op(uint32_t* word, int operation, int limit, long limit2, uint32_t* word2, uint32_t encoded) {
  // The kernel does the arithmetic and wakes its own waiters; ours are woken by the same rule.
  const uint32_t before = __atomic_load_n(word2, __ATOMIC_SEQ_CST);
  const long kernel = sys::call(SYS_futex, word, operation, limit, limit2, word2, encoded);
  if (sys::failed(kernel)) return kernel;
  long woken = static_cast<long>(runtime().lot().unpark(word, static_cast<size_t>(limit)));
  const int32_t argument = static_cast<int32_t>(encoded << 20) >> 20;
  const auto old = static_cast<int32_t>(before);
  bool second = false;
  switch (encoded >> 24 & 15) {
    case FUTEX_OP_CMP_EQ: second = old == argument; break;
    case FUTEX_OP_CMP_NE: second = old != argument; break;
    case FUTEX_OP_CMP_LT: second = old < argument; break;
    case FUTEX_OP_CMP_LE: second = old <= argument; break;
    case FUTEX_OP_CMP_GT: second = old > argument; break;
    case FUTEX_OP_CMP_GE: second = old >= argument; break;
  }
  if (second) woken += static_cast<long>(runtime().lot().unpark(word2, static_cast<size_t>(limit2)));
  return kernel + woken;
}

long futex(const long (&a)[6]) {
  auto* word = reinterpret_cast<uint32_t*>(a[0]);
  const int operation = static_cast<int>(a[1]);
  const auto kernel = [&a] { return sys::call(SYS_futex, a[0], a[1], a[2], a[3], a[4], a[5]); };
  if (!runtime_started()) return native_call(kernel);
  const auto* timeout = reinterpret_cast<const timespec*>(a[3]);
  const auto tags = static_cast<uint32_t>(a[5]);
  switch (operation & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET: {
      // Kernel threads sleep in the kernel: a waker looks there too. Words that another process may wake, as well.
      if (!self()) return native_call(kernel);
      if (!is_private(operation, word)) {
        PoolWait elsewhere;
        elsewhere.cancellation_point = false;
        return blocking(elsewhere, [&](Mode mode) { return mode == Mode::native ? kernel() : -EAGAIN; });
      }
      const bool bitset = (operation & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
      return futex_wait(word, operation, static_cast<uint32_t>(a[2]), timeout, bitset ? tags : ~0u);
    }
    case FUTEX_WAKE: return futex_wake(word, operation, static_cast<int>(a[2]), ~0u);
    case FUTEX_WAKE_BITSET: return futex_wake(word, operation, static_cast<int>(a[2]), tags);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
      return futex_requeue(word, operation, static_cast<int>(a[2]), a[3], reinterpret_cast<uint32_t*>(a[4]),
                           static_cast<uint32_t>(a[5]));
    case FUTEX_WAKE_OP:
      return futex_wake_op(word, operation, static_cast<int>(a[2]), a[3], reinterpret_cast<uint32_t*>(a[4]),
                           static_cast<uint32_t>(a[5]));
    default: return kernel();
  }
}

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(long, syscall, (long number, ...)) {
  long a[6];
  va_list list;
  va_start(list, number);
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  if (number == SYS_futex) return sys::result(futex(a));
  if (number == SYS_gettid && self()) return gettid();
  if (number == SYS_tgkill && self()) return tgkill(static_cast<pid_t>(a[0]), static_cast<pid_t>(a[1]), static_cast<int>(a[2]));
  const long result = sys::call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (number == SYS_fcntl || number == SYS_ioctl || number == SYS_setsockopt) fd_table::options_changed();
  return sys::result(result);
}
