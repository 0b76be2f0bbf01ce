#pragma once

#include "base/config.hpp"
#include "hub/parking_lot.hpp"
#include "wait/blocking.hpp"

namespace guv {

/// Waits at an address for the state there to change; whoever changes it unparks (see ParkingLot). `busy` is the
/// attempt's result that means "wait". Serves kernel threads too.
class AddressWait {
 public:
  static constexpr bool for_kernel_threads = true;

  AddressWait(const void* address, long busy, Deadline until = Deadline::never(), uint32_t tag = ~0u)
      : busy_(busy), until_(until) {
    waiter_.address = address;
    waiter_.tag = tag;
  }

  bool would_block(long result) const { return result == busy_; }
  Deadline deadline() const { return until_; }
  long give_up(int reason) const { return reason; }
  Arm arm(GreenThread* me) {
    waiter_.thread = me;
    runtime().lot().enqueue(waiter_);
    return Arm::look_again;
  }
  void disarm() {
    woken_ = !runtime().lot().dequeue(waiter_);
    waiter_.overtaken = true;  // if it has to wait again
  }
  bool closed() const { return false; }
  void succeeded() {}
  void abandoned() {
    if (woken_) runtime().lot().unpark_one(waiter_.address);
  }
  int sleep(Deadline until) const { return ParkingLot::sleep(waiter_, until); }

  OnHandler on_handler = OnHandler::go_on;
  bool cancellation_point = false;

 protected:
  AddressWaiter waiter_;
  long busy_;
  Deadline until_;
  bool woken_ = false;
};

}  // namespace guv
