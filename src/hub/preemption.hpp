#pragma once

#include <signal.h>
#include <sys/types.h>
#include <ucontext.h>

#include <cstddef>
#include <cstdint>

namespace guv {

struct GreenThread;

/// Lets other threads run when one computes for long without calling anything, as the kernel would.
///
/// A timer on the hub's processor time (so it is silent while the hub sleeps) sends a signal of libc's own. A thread that
/// has run from one tick to the next is made to yield if it is in code of the program: then it holds no lock inside libc,
/// guv or the allocator that others could spin on. Where it is not, another timer looks again soon and often: of a thread
/// that calls libc in a circle, little time is spent in the program.
class Preemption {
 public:
  /// From the hub's kernel thread, when there is a second thread to switch to; cheap when done already.
  void arm() {
    if (timer_ < 0) [[unlikely]]
      start();
  }

  /// Before exec, which would let a signal on its way kill the new program; `arm` undoes it.
  void disarm();

  /// In the child of fork, which has no timers (timer_create(2)).
  void after_fork() { timer_ = closer_timer_ = -1; }

 private:
  struct Range {
    uintptr_t begin, end;
  };
  static constexpr int most_ranges = 16;

  void tick(int signal, ucontext_t* context);
  void look_again();
  static void on_tick(int signal, siginfo_t* info, void* context);
  void pass_on(int signal, siginfo_t* info, void* context);
  static void give_way(int signal, siginfo_t* info, void* context);
  static void give_way_aside(int signal, siginfo_t* info, void* context);
  static void serve(int signal, siginfo_t* info, void* context);
  char* aside_for(GreenThread& thread);
  void put_back(GreenThread& thread);
  void start();
  bool take_signal();
  void find_ranges();
  bool interruptible(const void* program_counter) const;

  int timer_ = -1, closer_timer_ = -1;
  int looks_left_ = 0;
  bool prepared_ = false, possible_ = false;
  uint64_t activity_seen_ = 0;
  size_t room_needed_ = 0;  // on the stack, for the kernel's frame and for yielding
  uintptr_t main_stack_end_ = 0, main_stack_begin_ = 0;
  Range ranges_[most_ranges];  // code that is never interrupted
  int range_count_ = 0;
  char* free_aside_ = nullptr;                          // its end; at its other end is that of the next one
  void (*previous_)(int, siginfo_t*, void*) = nullptr;  // libc's handler
  bool asked_for_loop_ = false;                         // in libc's last question to the hub, not for the main thread
};

}  // namespace guv
