/// A program that does everything at once. Threads do a random mix of operations, chosen by the seed. What an operation sees
/// must depend on the seed alone, whoever runs when; it is summed up to one number for each kind of operation, and these are
/// the same natively and under guv, or one of the two is wrong.
#pragma once

#include <atomic>
#include <cstdint>

#include "../programs/check.h"

namespace stress {

inline uint64_t mix(uint64_t value) {  // the end of MurmurHash3
  value = (value ^ value >> 33) * 0xff51afd7ed558ccd;
  value = (value ^ value >> 33) * 0xc4ceb9fe1a85ec53;
  return value ^ value >> 33;
}

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15); }
  int below(int limit) { return static_cast<int>(next() % static_cast<uint64_t>(limit)); }
  int from(int low, int high) { return low + below(high - low + 1); }
  bool one_in(int many) { return below(many) == 0; }

 private:
  uint64_t state_;
};

/// One operation of one thread: what it draws its decisions from, and what it saw.
class Task {
 public:
  explicit Task(uint64_t seed) : random(seed), seen_(mix(seed)) {}
  void saw(uint64_t value) { seen_ = mix(seen_ ^ value); }
  uint64_t seen() const { return seen_; }

  Random random;

 private:
  uint64_t seen_;
};

/// A call that a signal handler may have ended is made again.
template <class Call>
auto again(Call call) {
  for (;;) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

/// A function object's `void*` way of being a thread; it lives until the thread is joined.
template <class Body>
class Thread {
 public:
  explicit Thread(Body body) : body_(body) {
    handle_ = start_thread(
        [](void* thread) -> void* {
          static_cast<Thread*>(thread)->body_();
          return thread;
        },
        this);
  }
  ~Thread() {
    if (!joined_) join();
  }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  /// What it returned: the thread itself, unless it was cancelled.
  bool join() {
    joined_ = true;
    return join_thread(handle_) == this;
  }
  pthread_t handle() const { return handle_; }

 private:
  Body body_;
  pthread_t handle_;
  bool joined_ = false;
};

inline void pause_for(int microseconds) {
  timespec left{0, microseconds * 1000L};
  again([&] { return nanosleep(&left, &left); });
}

/// Gives others a chance in the middle of something, or takes its time.
inline void dawdle(Random& random) {
  switch (random.below(8)) {
    case 0: pause_for(random.from(1, 500)); break;
    case 1:
    case 2: sched_yield(); break;
    default: break;
  }
}

/// Far enough away that only a lost wake-up takes so long.
inline timespec late(clockid_t clock = CLOCK_REALTIME) { return in_milliseconds(clock, 300'000); }
inline timespec soon(Random& random, clockid_t clock = CLOCK_REALTIME) { return in_milliseconds(clock, random.from(1, 3)); }

// A family of operations has state that all threads share. `prepare` comes before the first thread, `settle` after the last,
// to check what became of it.
namespace locks {
void prepare();
void begin_round();
void settle();
void mutex(Task&);
void mutex_errors(Task&);
void robust_mutex(Task&);
void rwlock(Task&);
void queue(Task&);
void gate(Task&);
void timed_out(Task&);
void semaphore(Task&);
void barrier(Task&);
void once(Task&);
void cxx(Task&);
}  // namespace locks

namespace threads {
extern pthread_rwlock_t loading;  // the loader is busy: not the moment to fork a child that wants threads
void prepare();
void settle();
void create_join(Task&);
void detach(Task&);
void keys(Task&);
void variables(Task&);
void exceptions(Task&);
void futures(Task&);
void memory(Task&);
void library(Task&);
}  // namespace threads

namespace descriptors {
void stream(Task&);
void datagrams(Task&);
void connection(Task&);
void time_limits(Task&);
void readiness(Task&);
void counters(Task&);
void passing(Task&);
}  // namespace descriptors

namespace files {
void prepare();
void settle();
void locked_counter(Task&);
void positions(Task&);
void streams(Task&);
void shared_stream(Task&);
}  // namespace files

namespace signals {
void prepare();
void settle();
void to_myself(Task&);
void masked(Task&);
void to_blocked_thread(Task&);
void to_process(Task&);
void awaited(Task&);
void jump(Task&);
void timers(Task&);
}  // namespace signals

namespace cancellation {
void blocked(Task&);
void with_mutex(Task&);
void with_destructors(Task&);
void disabled(Task&);
}  // namespace cancellation

namespace processes {
void fork_wait(Task&);
void fork_with_threads(Task&);
void spawn(Task&);
void shell(Task&);
}  // namespace processes

}  // namespace stress
