#pragma once

#include <atomic>

#include "hub/children.hpp"
#include "hub/disk.hpp"
#include "hub/hub.hpp"
#include "hub/offload.hpp"
#include "hub/parking_lot.hpp"
#include "hub/preemption.hpp"

namespace guv {

/// Owns every part, in the order in which they start: parking lot, hub, offload. Made at the first pthread_create of the
/// main thread (or the first call of the API), never before; never destroyed, since threads may run until the last
/// instruction of the process.
class Runtime {
 public:
  ParkingLot& lot() { return lot_; }
  Hub& hub() { return hub_; }
  Offload& offload() { return offload_; }
  Children& children() { return children_; }
  Disk& disk() { return disk_; }
  Preemption& preemption() { return preemption_; }
  GreenThread& main_thread() { return *main_thread_; }

  /// In the child of fork.
  void after_fork();

 private:
  friend bool start_runtime();
  const char* start();

  ParkingLot lot_;
  Hub hub_;
  Offload offload_;
  Children children_;
  Disk disk_;
  Preemption preemption_;
  GreenThread first_thread_;
  GreenThread* main_thread_ = &first_thread_;  // after fork: the thread that called it
};

// Hidden: found without a look at the table of other libraries' data.
extern __attribute__((visibility("hidden"))) std::atomic<Runtime*> the_runtime;

/// Starts guv if it can be: on the process's main thread, with a libc that is understood. Says why not, once.
bool start_runtime();
inline bool runtime_started() { return the_runtime.load(std::memory_order_acquire) != nullptr; }
inline Runtime& runtime() { return *the_runtime.load(std::memory_order_relaxed); }

/// A hook that the preload library sets: called once, when the runtime has started (patches libc's entries).
extern void (*on_runtime_start)();

}  // namespace guv
