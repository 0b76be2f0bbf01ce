#pragma once

#include <atomic>

#include "guv/guv.h"
#include "hub/hub.hpp"

namespace guv::api {

/// A call that is made when a thread ends.
struct Link : ListNode {
  guv_link_function function;
  void* argument;
};

/// Begins a thread.
struct StartTimer : Timer {
  guv_thread* record = nullptr;
};

}  // namespace guv::api

/// A green thread as the API knows it. Outlives the thread while somebody holds a handle; the thread itself holds one.
/// All but the atomic members belong to the hub's kernel thread.
struct guv_thread {
  std::atomic<uint32_t> references{1};
  std::atomic<uint32_t> ended{0};  // waiters wait here
  std::atomic<uint32_t> woken{0};  // and guv_park here

  guv::GreenThread* green = nullptr;  // from its making to its end
  bool begun = false;                 // its function, or a cancellation, has had its way
  int error = 0;                      // why there is no result
  void* result = nullptr;
  guv_task task{};
  guv::api::StartTimer start;  // while it shall begin later
  guv::Interrupt kill;
  guv::List<guv::api::Link> links;
  char name[16] = "";
};
