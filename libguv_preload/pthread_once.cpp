// pthread_once(3): the states of the control word are glibc's (0 untouched, 1 running + fork generation, 2 done), so the
// same word may be used from inside libc.
#include <linux/futex.h>
#include <threads.h>

#include "interpose.hpp"
#include "lifecycle.hpp"

// libc's, of which its headers declare the buffer alone.
extern "C" void _pthread_cleanup_push(_pthread_cleanup_buffer*, void (*)(void*), void*);
extern "C" void _pthread_cleanup_pop(_pthread_cleanup_buffer*, int);

namespace guv {

namespace {

constexpr int running = 1, done = 2, generation_step = 4;
std::atomic<int> fork_generation{0};

std::atomic_ref<int> word_of(pthread_once_t* control) { return std::atomic_ref<int>(*control); }

/// The initialiser was cancelled or threw: the next caller starts again. Registered as C's cleanup handlers are, too: a
/// frame of the program's that has no unwind tables ends the unwinding, and libc goes on with those handlers.
class Claim {
 public:
  explicit Claim(pthread_once_t* control) : control_(control) {
    _pthread_cleanup_push(&cleanup_, [](void* claim) { static_cast<Claim*>(claim)->set(0); }, this);
  }
  ~Claim() { end(0); }
  void complete() { end(done); }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

 private:
  void end(int state) {
    if (!control_) return;
    _pthread_cleanup_pop(&cleanup_, 0);
    set(state);
  }
  void set(int state) {
    word_of(control_).store(state, std::memory_order_seq_cst);
    if (runtime_started()) runtime().lot().unpark_all(control_);
    // Those who wait in the kernel: libc's own, from before the entries were patched, and ours, from before the start.
    sys::call(SYS_futex, control_, FUTEX_WAKE_PRIVATE, INT32_MAX);
    control_ = nullptr;
  }
  pthread_once_t* control_;
  _pthread_cleanup_buffer cleanup_;
};

}  // namespace

void once_after_fork() { fork_generation.fetch_add(generation_step, std::memory_order_relaxed); }

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(int, pthread_once, (pthread_once_t * control, void (*initialise)())) {
  if (word_of(control).load(std::memory_order_acquire) == done) [[likely]] return 0;
  const int claimed = running | fork_generation.load(std::memory_order_relaxed);
  // Claims it, or waits for who has: 0 done by another, 1 ours to do.
  const auto attempt = [=](Mode mode) -> long {
    int state = word_of(control).load(std::memory_order_acquire);
    for (;;) {
      if (state == done) return 0;
      if (state == claimed) {  // a parent's unfinished claim has another generation
        if (mode == Mode::attempt) return EBUSY;
        sys::call(SYS_futex, control, FUTEX_WAIT_PRIVATE, claimed, nullptr);
        state = word_of(control).load(std::memory_order_acquire);
        continue;
      }
      if (word_of(control).compare_exchange_weak(state, claimed, std::memory_order_acq_rel)) return 1;
    }
  };
  if (blocking(AddressWait(control, EBUSY), attempt) == 0) return 0;
  Claim claim(control);
  initialise();
  claim.complete();
  return 0;
}

GUV_INTERPOSE(void, call_once, (once_flag * flag, void (*initialise)())) {
  guv_wrap_pthread_once(reinterpret_cast<pthread_once_t*>(flag), initialise);
}
