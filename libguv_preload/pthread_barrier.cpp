// Barriers have no try form, so the whole object is guv's: it lives in the program's pthread_barrier_t. Process-shared ones
// are libc's own, waited for on a helper thread.
#include <limits.h>
#include <linux/futex.h>

#include <new>

#include "interpose.hpp"

namespace guv {

namespace {

struct Barrier {
  Spinlock lock;
  uint32_t needed, arrived, round, inside;
  bool waited_in_kernel;  // by threads of libc's own making (timers), before the runtime has started
  uint64_t magic;
};
static_assert(sizeof(Barrier) <= sizeof(pthread_barrier_t));
constexpr uint64_t our_magic = 0x7265697272614267;  // behind libc's last field, which is all-zero there

Barrier* ours(pthread_barrier_t* barrier) {
  auto* candidate = reinterpret_cast<Barrier*>(barrier);
  return candidate->magic == our_magic ? candidate : nullptr;
}

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(int, pthread_barrier_init,
              (pthread_barrier_t * barrier, const pthread_barrierattr_t* attributes, unsigned count)) {
  int shared = PTHREAD_PROCESS_PRIVATE;
  if (attributes) pthread_barrierattr_getpshared(attributes, &shared);
  if (shared == PTHREAD_PROCESS_SHARED) {
    if (sizeof(Barrier) <= sizeof *barrier) reinterpret_cast<Barrier*>(barrier)->magic = 0;
    return real().pthread_barrier_init(barrier, attributes, count);
  }
  constexpr unsigned glibc_limit = INT_MAX;
  if (count == 0 || count > glibc_limit) return EINVAL;
  new (barrier) Barrier{{}, count, 0, 0, 0, false, our_magic};
  return 0;
}

GUV_INTERPOSE(int, pthread_barrier_wait, (pthread_barrier_t * barrier)) {
  Barrier* b = ours(barrier);
  if (!b) return offload_wait([=] { return real().pthread_barrier_wait(barrier); });
  uint32_t round;
  bool last;
  {
    Critical critical;
    SpinGuard guard(b->lock);
    round = b->round;
    ++b->inside;
    last = ++b->arrived == b->needed;
    if (!last && !runtime_started()) b->waited_in_kernel = true;
    if (last) {
      b->arrived = 0;
      __atomic_store_n(&b->round, round + 1, __ATOMIC_SEQ_CST);
    }
  }
  if (last) {
    if (runtime_started()) runtime().lot().unpark_all(&b->round);
    if (b->waited_in_kernel) sys::call(SYS_futex, &b->round, FUTEX_WAKE_PRIVATE, INT_MAX);
  } else {
    blocking(AddressWait(&b->round, EBUSY), [=](Mode mode) -> long {
      while (__atomic_load_n(&b->round, __ATOMIC_SEQ_CST) == round) {
        if (mode == Mode::attempt) return EBUSY;
        sys::call(SYS_futex, &b->round, FUTEX_WAIT_PRIVATE, round, nullptr);
      }
      return 0;
    });
  }
  // pthread_barrier_destroy waits for all to have left (POSIX: it may be called as soon as one returns).
  if (__atomic_sub_fetch(&b->inside, 1, __ATOMIC_SEQ_CST) == 0 && runtime_started()) runtime().lot().unpark_all(&b->inside);
  return last ? PTHREAD_BARRIER_SERIAL_THREAD : 0;
}

GUV_INTERPOSE(int, pthread_barrier_destroy, (pthread_barrier_t * barrier)) {
  Barrier* b = ours(barrier);
  if (!b) return real().pthread_barrier_destroy(barrier);
  blocking(AddressWait(&b->inside, EBUSY), [=](Mode mode) -> long {
    while (__atomic_load_n(&b->inside, __ATOMIC_SEQ_CST) > b->arrived) {
      if (mode == Mode::attempt) return EBUSY;
      sys::call(SYS_sched_yield);  // they are about to leave
    }
    return 0;
  });
  b->magic = 0;
  return 0;
}
