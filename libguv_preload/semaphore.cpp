// Semaphores: the state is the sem_t's own, taken from here as libc does it, and given by libc's own post. Process-shared and
// named ones are waited for on a helper thread.
#include <semaphore.h>
#include <string.h>

#include "interpose.hpp"
#include "wait/shared_word.hpp"

namespace guv {

namespace {

/// Where libc notes that a semaphore is shared: found by comparing one of each kind, not by knowing struct new_sem.
struct SharedMark {
  size_t offset = 0;
  uint32_t value = 0;
  bool known = false;
};

SharedMark find_shared_mark() {
  sem_t pair[2];
  memset(pair, 0, sizeof pair);
  if (real().sem_init(&pair[0], 0, 0) != 0 || real().sem_init(&pair[1], 1, 0) != 0) return {};
  for (size_t offset = 0; offset < sizeof(sem_t); offset += sizeof(uint32_t)) {
    uint32_t words[2];
    for (int i = 0; i < 2; ++i) memcpy(&words[i], reinterpret_cast<char*>(&pair[i]) + offset, sizeof words[i]);
    if (words[0] != words[1]) return {offset, words[1], true};
  }
  return {};
}

bool shared(const sem_t* semaphore) {
  static SharedMark mark = find_shared_mark();
  uint32_t word;
  memcpy(&word, reinterpret_cast<const char*>(semaphore) + mark.offset, sizeof word);
  return mark.known && word == mark.value;
}

/// glibc's struct new_sem: the value in the lower half, and how many sleep in the kernel, of whom a post wakes one.
std::atomic_ref<uint64_t> state_of(sem_t* semaphore) {
  return std::atomic_ref(*reinterpret_cast<uint64_t*>(semaphore));
}
constexpr uint64_t one_sleeper = uint64_t{1} << 32;

/// Takes one unless there is none.
bool take(sem_t* semaphore) {
  const auto state = state_of(semaphore);
  uint64_t seen = state.load(std::memory_order_relaxed);
  while (static_cast<uint32_t>(seen) != 0) {
    if (state.compare_exchange_weak(seen, seen - 1)) return true;
  }
  return false;
}

long try_wait(sem_t* semaphore) { return take(semaphore) ? 0 : -EAGAIN; }

// signal(7) has the timed ones restarted; a futex with a time-out is not.
OnHandler on_handler(bool for_ever) { return for_ever ? OnHandler::restart_if_asked : OnHandler::end; }

int wait(sem_t* semaphore, Deadline until) {
  AddressWait on(semaphore, -EAGAIN, until);
  on.cancellation_point = true;
  on.on_handler = on_handler(until.is_never());
  const long result = blocking(on, [=](Mode) { return try_wait(semaphore); });
  return static_cast<int>(sys::result(result > 0 ? -result : result));
}

int wait_shared(sem_t* semaphore, clockid_t clock, const timespec* until) {
  SharedWordWait on(reinterpret_cast<uint32_t*>(semaphore), EAGAIN, on_handler(!until), clock, until);
  return static_cast<int>(sys::result(blocking(on, [&](Mode mode) -> long {
    if (mode == Mode::attempt) return try_wait(semaphore);
    state_of(semaphore).fetch_add(one_sleeper);
    const long result = on.sleep(0);
    state_of(semaphore).fetch_sub(one_sleeper);
    return result;
  })));
}

int wait_until(sem_t* semaphore, clockid_t clock, const timespec* until) {
  if (!valid(*until)) return static_cast<int>(sys::result(-EINVAL));
  return shared(semaphore) ? wait_shared(semaphore, clock, until) : wait(semaphore, Deadline::on(clock, *until));
}

/// Kernel threads wait for those of other processes as libc has it.
bool left_to_libc(const sem_t* semaphore) { return !runtime_started() || (!self() && shared(semaphore)); }

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(int, sem_wait, (sem_t * semaphore)) {
  GreenThread* me = self();
  if (me && !me->cancel_requested && take(semaphore)) [[likely]] {
    me->hub->count_call();
    return 0;
  }
  if (left_to_libc(semaphore)) return real().sem_wait(semaphore);
  return shared(semaphore) ? wait_shared(semaphore, CLOCK_MONOTONIC, nullptr) : wait(semaphore, Deadline::never());
}

GUV_INTERPOSE(int, sem_timedwait, (sem_t * semaphore, const timespec* until)) {
  if (left_to_libc(semaphore)) return real().sem_timedwait(semaphore, until);
  return wait_until(semaphore, CLOCK_REALTIME, until);
}

GUV_INTERPOSE(int, sem_clockwait, (sem_t * semaphore, clockid_t clock, const timespec* until)) {
  if (left_to_libc(semaphore)) return real().sem_clockwait(semaphore, clock, until);
  if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) return static_cast<int>(sys::result(-EINVAL));
  return wait_until(semaphore, clock, until);
}

GUV_INTERPOSE(int, sem_trywait, (sem_t * semaphore)) {
  const int result = real().sem_trywait(semaphore);
  if (result != 0) count_call();
  return result;
}

GUV_INTERPOSE(int, sem_post, (sem_t * semaphore)) {
  const int result = real().sem_post(semaphore);
  if (result == 0 && runtime_started()) runtime().lot().pass_on(semaphore);
  return result;
}
