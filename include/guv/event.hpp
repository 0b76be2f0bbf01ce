#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

#include "guv/deadline.hpp"
#include "guv/detail/line.hpp"
#include "guv/detail/links.hpp"
#include "guv/detail/lock.hpp"
#include "guv/error.hpp"
#include "guv/green_thread.hpp"
#include "guv/guv.h"

/// Events: something that happens once, with a value (Event, AsyncResult), and a flag (TEvent). The Python guv's event.
///
/// Any number of green and kernel threads may wait. Making an event happen never waits and never switches threads; it
/// may be done on the hub too. An event may be destroyed as soon as nobody waits for it, also while the call that made
/// it happen is still returning.
namespace guv {
inline namespace v1 {

namespace detail {

/// A value or an exception, given once.
template <class T>
class Outcome {
 public:
  using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

  /// Gives the value, made of `arguments`; false when there is an outcome already.
  template <class... Arguments>
  bool give_value(Arguments&&... arguments) {
    if (claimed_.exchange(true)) return false;
    try {
      value_.emplace(std::forward<Arguments>(arguments)...);
    } catch (...) {
      claimed_ = false;
      throw;
    }
    settle();
    return true;
  }
  bool give_exception(std::exception_ptr exception) {
    if (claimed_.exchange(true)) return false;
    exception_ = std::move(exception);
    settle();
    return true;
  }

  /// Whether somebody is giving, or has given it.
  bool claimed() const { return claimed_; }
  bool ready() const { return settled_.load(std::memory_order_acquire); }

  /// As guv_wait.
  int wait(Deadline deadline) {
    if (ready()) return 0;
    std::unique_lock held(lock_);
    if (ready()) return 0;
    Place place;
    return waiters_.wait(held, place, deadline);
  }

  /// Once it is ready.
  std::exception_ptr exception() const { return exception_; }
  Value* value() { return value_ ? &*value_ : nullptr; }
  Value& value_or_throw() {
    if (exception_) std::rethrow_exception(exception_);
    return *value_;
  }

 private:
  void settle() {
    const std::lock_guard guard(lock_);
    settled_.store(true, std::memory_order_release);
    while (!waiters_.empty()) waiters_.serve_first();
  }

  Lock lock_;
  Line waiters_{lock_};
  std::atomic<bool> claimed_{false};
  std::atomic<bool> settled_{false};
  std::optional<Value> value_;
  std::exception_ptr exception_;
};

}  // namespace detail

/// Somewhere to wait for one value from another thread. Every waiter gets a copy of it, in the order in which they
/// came, waiters that come later get it at once.
///
///   guv::Event<int> event;
///   guv::spawn_n([&] { event.send(4); });
///   event.wait();   // 4
template <class T>
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  /// Wakes the waiters with a value, made of `value` (nothing for Event<void>); they run when the caller waits or
  /// yields. Throws std::logic_error when something has been sent already, and not reset since.
  template <class... Value>
  void send(Value&&... value) {
    if (!current()->give_value(std::forward<Value>(value)...)) throw_sent_already();
  }

  /// As send(); the waiters throw `exception`.
  void send_exception(std::exception_ptr exception) {
    if (!current()->give_exception(std::move(exception))) throw_sent_already();
  }
  template <class Exception>
  requires(!std::is_convertible_v<Exception, std::exception_ptr>) void send_exception(Exception exception) {
    send_exception(std::make_exception_ptr(std::move(exception)));
  }

  /// Waits until something has been sent and returns it, or throws it. Throws TimedOut at the deadline.
  T wait(Deadline deadline = {}) {
    const auto outcome = current();
    detail::check(outcome->wait(deadline));
    if constexpr (std::is_void_v<T>) {
      outcome->value_or_throw();
    } else {
      return outcome->value_or_throw();
    }
  }

  /// Whether wait() would return at once.
  bool ready() const { return current()->ready(); }

  /// Makes it an event to which nothing has been sent. Who was waiting when something was sent gets that still; who
  /// waits for what has not been sent waits on.
  void reset() {
    auto fresh = std::make_shared<detail::Outcome<T>>();
    const std::lock_guard guard(lock_);
    if (outcome_->claimed()) outcome_.swap(fresh);
  }

 protected:
  /// Who waits or sends holds on to it: the event may be reset or destroyed meanwhile.
  std::shared_ptr<detail::Outcome<T>> current() const {
    const std::lock_guard guard(lock_);
    return outcome_;
  }

 private:
  [[noreturn]] static void throw_sent_already() {
    throw std::logic_error("Trying to re-send() an already-triggered event.");
  }

  mutable detail::Lock lock_;
  std::shared_ptr<detail::Outcome<T>> outcome_ = std::make_shared<detail::Outcome<T>>();
};

/// A flag to wait for, as threading.Event of Python.
class TEvent {
 public:
  TEvent() = default;
  TEvent(const TEvent&) = delete;
  TEvent& operator=(const TEvent&) = delete;

  /// Sets the flag, and wakes all who wait for it, even if clear() follows at once.
  void set() {
    detail::Links::Snapshot links;
    {
      const std::lock_guard guard(lock_);
      if (set_) return;
      set_ = true;
      links = links_.snapshot();
      while (!waiters_.empty()) waiters_.serve_first();
    }
    detail::Links::post(links);
  }

  /// Clears it: wait() waits again.
  void clear() {
    const std::lock_guard guard(lock_);
    set_ = false;
  }

  /// Whether the flag is set; ready() is the same.
  bool is_set() const {
    const std::lock_guard guard(lock_);
    return set_;
  }
  bool ready() const { return is_set(); }

  /// Waits until the flag is set; true, or false if it was not by the deadline.
  bool wait(Deadline deadline = {}) { return detail::in_time(wait_until_set(deadline)); }

  /// Has `function(*this)` called on the hub, where it must not wait, each time the flag is set; soon if it is set now.
  /// What it throws is printed.
  template <class Function>
  LinkId rawlink(Function function) {
    return links_.add([this, function = std::move(function)]() mutable { function(*this); }, [this] { return set_; });
  }

  /// Takes that back; whether it was linked.
  bool unlink(LinkId id) { return links_.remove(id); }

 protected:
  /// As guv_wait.
  int wait_until_set(Deadline deadline) {
    std::unique_lock held(lock_);
    if (set_) return 0;
    detail::Place place;
    return waiters_.wait(held, place, deadline);
  }

 private:
  mutable detail::Lock lock_;
  detail::Line waiters_{lock_};
  detail::Links links_{lock_};
  bool set_ = false;
};

/// A result that comes later: a value or an exception, given once. Copies are the same one. Something that a thread can
/// be linked to:
///
///   guv::AsyncResult<int> result;
///   guv::spawn([] { return 1; }).link(result);
///   result.get();   // 1
template <class T>
class AsyncResult {
 public:
  /// Gives the value, made of `value` (nothing for AsyncResult<void>). Throws std::logic_error when there is a value or
  /// exception already.
  template <class... Value>
  void set(Value&&... value) {
    if (!give([&](auto& outcome) { return outcome.give_value(std::forward<Value>(value)...); })) throw_set_already();
  }

  /// Gives an exception, which get() will throw.
  void set_exception(std::exception_ptr exception) {
    if (!give([&](auto& outcome) { return outcome.give_exception(std::move(exception)); })) throw_set_already();
  }
  template <class Exception>
  requires(!std::is_convertible_v<Exception, std::exception_ptr>) void set_exception(Exception exception) {
    set_exception(std::make_exception_ptr(std::move(exception)));
  }

  /// Takes over the result, or the exception, of a thread that has ended: for GreenThread::link. A thread that was
  /// killed gives what it was killed with.
  template <class R>
  void operator()(GreenThread<R>& thread) {
    try {
      if constexpr (std::is_void_v<R>) {
        thread.get();
        set();
      } else {
        set(thread.get());
      }
    } catch (abi::__forced_unwind&) {
      throw;
    } catch (...) {
      set_exception(std::current_exception());
    }
  }

  /// Waits for the value and returns a reference to it, good as long as one of the copies lives; throws the exception.
  /// Throws TimedOut at the deadline.
  std::add_lvalue_reference_t<T> get(Deadline deadline = {}) const {
    detail::check(state_->outcome.wait(deadline));
    auto& value = state_->outcome.value_or_throw();
    if constexpr (!std::is_void_v<T>) return value;
  }

  /// As get(), without waiting: throws TimedOut when there is nothing yet.
  std::add_lvalue_reference_t<T> get_nowait() const { return get(Deadline::at_once()); }

  /// Waits until there is a value or an exception; whether there was by the deadline.
  bool wait(Deadline deadline = {}) const { return detail::in_time(state_->outcome.wait(deadline)); }

  /// Whether there is a value or an exception.
  bool ready() const { return state_->outcome.ready(); }
  /// Whether there is a value.
  bool successful() const { return ready() && state_->outcome.value(); }

  /// The exception; null when there is none.
  std::exception_ptr exception() const { return ready() ? state_->outcome.exception() : nullptr; }
  /// The value; null when there is none.
  auto* value() const { return ready() ? state_->outcome.value() : nullptr; }

  /// Has `function(*this)` called on the hub, where it must not wait, when there is a value or an exception; soon if
  /// there is one now. What it throws is printed.
  template <class Function>
  LinkId rawlink(Function function) {
    // Not a copy: the state would keep itself alive.
    std::weak_ptr<State> state = state_;
    return state_->links.add(
        [state = std::move(state), function = std::move(function)]() mutable {
          AsyncResult result(state.lock());
          if (result.state_) function(result);
        },
        [this] { return state_->announced; });
  }

  /// Takes that back; whether it was linked.
  bool unlink(LinkId id) { return state_->links.remove(id); }

  AsyncResult() : state_(std::make_shared<State>()) {}

 protected:
  struct State {
    detail::Outcome<T> outcome;
    detail::Lock lock;
    detail::Links links{lock};
    bool announced = false;  // to the links; under the lock
  };

  /// `settle(outcome)` gives the value or exception; whether there was none.
  template <class Settle>
  bool give(Settle settle) {
    // Who waits may destroy this object before we are done.
    const auto state = state_;
    if (!settle(state->outcome)) return false;
    detail::Links::Snapshot due;
    {
      const std::lock_guard guard(state->lock);
      state->announced = true;
      due = state->links.snapshot();
    }
    detail::Links::post(due);
    return true;
  }

  State& state() const { return *state_; }

 private:
  explicit AsyncResult(std::shared_ptr<State> state) : state_(std::move(state)) {}

  [[noreturn]] static void throw_set_already() {
    throw std::logic_error("Trying to set an AsyncResult that is set already.");
  }

  std::shared_ptr<State> state_;
};

}  // namespace v1
}  // namespace guv
