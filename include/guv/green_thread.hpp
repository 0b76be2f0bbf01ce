#pragma once

#include <cxxabi.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "guv/deadline.hpp"
#include "guv/error.hpp"
#include "guv/guv.h"

/// Green threads: spawning, waiting for, linking, killing them. The Python guv's greenthread.
namespace guv {
inline namespace v1 {

namespace detail {

/// Prints what has been thrown, with nobody to catch it, unless hub_exceptions(false). Called in a catch block.
inline void print_exception(const char* where) {
  if (!guv_hub_exceptions(-1)) return;
  const auto print = [where](const char* what) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    int status = 0;
    char* name = type ? abi::__cxa_demangle(type->name(), nullptr, nullptr, &status) : nullptr;
    std::fprintf(stderr, "guv: %s of green thread %llu threw %s%s%s\n", where,
                 static_cast<unsigned long long>(guv_thread_number()), name ? name : "an exception", *what ? ": " : "",
                 what);
    std::free(name);
  };
  try {
    throw;
  } catch (const std::exception& error) {
    print(error.what());
  } catch (...) {
    print("");
  }
}

/// Calls what link() or rawlink() was given.
inline void call_link(const std::function<void()>& link) {
  try {
    link();
  } catch (abi::__forced_unwind&) {
    throw;  // pthread_exit, pthread_cancel
  } catch (...) {
    print_exception("a link");
  }
}

class Links;

/// What a thread and those who know of it share.
class Task {
 public:
  Task() = default;
  virtual ~Task() { guv_thread_release(handle); }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  void retain() { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  /// The thread's function, on the thread.
  virtual void run() {}
  /// The function has been called, or never will be: what it holds is given up.
  virtual void forget_function() {}

  /// What get() throws if the function is never called: what the first said who did not want it to be.
  void kill_by(std::exception_ptr killer) {
    if (!is_killed_.exchange(true)) killed_by = std::move(killer);
  }

  guv_thread* handle = nullptr;
  std::exception_ptr exception;  // that ended it
  std::exception_ptr killed_by;

 private:
  std::atomic<int> references_{1};
  std::atomic<bool> is_killed_{false};
};

class TaskPointer {
 public:
  TaskPointer() = default;
  explicit TaskPointer(Task* task) : task_(task) {}
  TaskPointer(const TaskPointer& other) : task_(other.task_) {
    if (task_) task_->retain();
  }
  TaskPointer(TaskPointer&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
  TaskPointer& operator=(TaskPointer other) noexcept {
    std::swap(task_, other.task_);
    return *this;
  }
  ~TaskPointer() {
    if (task_) task_->release();
  }
  Task* get() const { return task_; }
  Task* operator->() const { return task_; }

 private:
  Task* task_ = nullptr;
};

inline void* run_task(void* argument) {
  static_cast<Task*>(argument)->run();
  return nullptr;
}

inline void dispose_task(void* argument) {
  auto* task = static_cast<Task*>(argument);
  task->forget_function();
  task->release();
}

/// Makes the thread; it holds `task` until it has ended.
inline void start(Task& task, Deadline when) {
  guv_task what{};
  what.run = &run_task;
  what.argument = &task;
  what.dispose = &dispose_task;
  if (!when.is_never()) what.delay = when.nanoseconds() - guv_now();
  task.retain();
  if (const int error = guv_spawn_task(&task.handle, &what)) {
    task.release();
    throw_error(error);
  }
}

/// Something that holds an R, be that void or a reference.
template <class R>
using Held = std::conditional_t<
    std::is_void_v<R>, char,
    std::conditional_t<std::is_reference_v<R>, std::reference_wrapper<std::remove_reference_t<R>>, R>>;

/// A function with its arguments, and its result.
template <class R, class Function, class... Arguments>
class ResultTask;

template <class R>
class Result : public Task {
 public:
  std::optional<Held<R>> value;
};

template <class R, class Function, class... Arguments>
class ResultTask final : public Result<R> {
 public:
  template <class... Given>
  explicit ResultTask(Given&&... given) : call_(std::in_place, std::forward<Given>(given)...) {}

  void run() override {
    try {
      const auto call = [](Function& function, Arguments&... arguments) -> R {
        return std::invoke(std::move(function), std::move(arguments)...);
      };
      if constexpr (std::is_void_v<R>) {
        std::apply(call, *call_);
        this->value.emplace();
      } else {
        this->value.emplace(std::apply(call, *call_));
      }
    } catch (abi::__forced_unwind&) {
      throw;  // pthread_exit, pthread_cancel
    } catch (...) {
      this->exception = std::current_exception();
    }
  }
  void forget_function() override { call_.reset(); }

 private:
  std::optional<std::tuple<Function, Arguments...>> call_;
};

/// For spawn_n: nobody asks.
template <class Function, class... Arguments>
class PlainTask final : public Task {
 public:
  template <class... Given>
  explicit PlainTask(Given&&... given) : call_(std::in_place, std::forward<Given>(given)...) {}

  void run() override {
    try {
      std::apply([](Function& function,
                    Arguments&... arguments) { std::invoke(std::move(function), std::move(arguments)...); },
                 *call_);
    } catch (abi::__forced_unwind&) {
      throw;
    } catch (const GreenExit&) {
    } catch (...) {
      print_exception("the function");
    }
  }
  void forget_function() override { call_.reset(); }

 private:
  std::optional<std::tuple<Function, Arguments...>> call_;
};

template <class Function, class... Arguments>
using ResultOf = std::invoke_result_t<std::decay_t<Function>, std::decay_t<Arguments>...>;

}  // namespace detail

/// Names one call that link() or rawlink() has arranged; for unlink().
class LinkId {
 public:
  LinkId() = default;

 private:
  friend class Greenlet;
  friend class detail::Links;
  explicit LinkId(void* link) : link_(link) {}
  void* link_ = nullptr;
};

/// A green thread, whatever its result. Copies name the same thread; the thread runs on when none is left.
class Greenlet {
 public:
  /// Names none.
  Greenlet() = default;

  explicit operator bool() const { return task_.get(); }

  /// Whether it has not ended, be it that it has not begun.
  bool is_alive() const { return guv_thread_is_alive(task_->handle); }

  /// Sees to it that a thread that has not begun never will; get() then throws `exception`. False when it has begun.
  bool cancel(std::exception_ptr exception = std::make_exception_ptr(GreenExit())) {
    task_->kill_by(std::move(exception));
    return guv_thread_cancel(task_->handle, -ECANCELED);
  }

  /// Throws `exception` into the thread, where it waits now or else will next: in guv's waits and in calls of libc's
  /// that are cancellation points (pthreads(7)). One that has not begun is cancelled. Then the caller yields. Does
  /// nothing when the thread has ended, or has not yet seen an earlier kill.
  void kill(std::exception_ptr exception = std::make_exception_ptr(GreenExit())) {
    if (!is_alive()) return;
    task_->kill_by(exception);
    // It must last until it is thrown, or the thread has ended.
    auto kept = std::make_unique<std::exception_ptr>(std::move(exception));
    void* const thrown = kept.get();
    detail::check(guv_thread_link(task_->handle, &drop, thrown));
    (void)kept.release();
    const int result = guv_thread_interrupt(task_->handle, -ECANCELED, &raise, thrown);
    if (result == -EBUSY && guv_thread_unlink(task_->handle, &drop, thrown)) drop(nullptr, thrown);
    if (result < 0 && result != -ESRCH && result != -EBUSY) detail::throw_error(result);
  }

  /// Waits for the end; whether it came before the deadline. How the thread ended is not told.
  bool join(Deadline deadline = {}) const {
    const int error = guv_thread_wait(task_->handle, nullptr, deadline.nanoseconds());
    return error != -ETIMEDOUT;
  }

  /// Has `function(*this)` called on the thread itself when it ends; when it has, at once by the caller. What it throws
  /// is printed.
  template <class Function>
  LinkId link(Function function) {
    return link_with([function = std::move(function), copy = *this]() mutable { function(copy); });
  }

  /// Takes that back; whether it was still to come.
  bool unlink(LinkId id) {
    if (!id.link_ || !guv_thread_unlink(task_->handle, &call_link, id.link_)) return false;
    delete static_cast<std::function<void()>*>(id.link_);
    return true;
  }

  /// At most 15 characters, as pthread_setname_np(3) has it.
  std::string name() const {
    char name[16];
    guv_thread_name(task_->handle, name);
    return name;
  }
  void set_name(const std::string& name) { guv_thread_set_name(task_->handle, name.c_str()); }

  /// Makes its gyield(false), present or next, return.
  void wake() { guv_thread_wake(task_->handle); }

  friend bool operator==(const Greenlet& a, const Greenlet& b) {
    return (a ? a.task_->handle : nullptr) == (b ? b.task_->handle : nullptr);
  }

  /// The C API's handle, which lives as long as this.
  guv_thread* handle() const { return task_->handle; }

 protected:
  explicit Greenlet(detail::TaskPointer task) : task_(std::move(task)) {}
  detail::Task* task() const { return task_.get(); }

  template <class Call>
  LinkId link_with(Call call) {
    auto link = std::make_unique<std::function<void()>>(std::move(call));
    const LinkId id(link.get());
    detail::check(guv_thread_link(task_->handle, &call_link, link.get()));
    link.release();
    return id;
  }

 private:
  friend Greenlet current();
  template <class Function, class... Arguments>
  friend Greenlet spawn_n(Function&& function, Arguments&&... arguments);

  static void raise(void* exception) { std::rethrow_exception(*static_cast<std::exception_ptr*>(exception)); }
  static void drop(guv_thread*, void* exception) { delete static_cast<std::exception_ptr*>(exception); }
  static void call_link(guv_thread*, void* argument) {
    const std::unique_ptr<std::function<void()>> link(static_cast<std::function<void()>*>(argument));
    detail::call_link(*link);
  }

  detail::TaskPointer task_;
};

/// A green thread whose function returns R. Made by spawn().
template <class R>
class GreenThread : public Greenlet {
 public:
  GreenThread() = default;

  /// Waits for the end and returns a reference to what the function returned, or throws what it threw; what it was
  /// killed or cancelled with; GreenExit after pthread_exit or pthread_cancel; TimedOut at the deadline. Any number of
  /// threads may, any number of times.
  std::add_lvalue_reference_t<R> get(Deadline deadline = {}) const {
    const int error = guv_thread_wait(handle(), nullptr, deadline.nanoseconds());
    auto* result = static_cast<detail::Result<R>*>(task());
    if (error == -ETIMEDOUT) throw TimedOut();
    if (result->exception) std::rethrow_exception(result->exception);
    if (!result->value) {
      if (guv_thread_is_alive(handle())) detail::throw_error(error);
      if (result->killed_by) std::rethrow_exception(result->killed_by);
      throw GreenExit();
    }
    if constexpr (!std::is_void_v<R>) return *result->value;
  }

  /// The seed's name of get().
  std::add_lvalue_reference_t<R> wait(Deadline deadline = {}) const { return get(deadline); }

  /// As Greenlet::link; the function is called with this GreenThread<R>, and may ask it for its result.
  template <class Function>
  LinkId link(Function function) {
    return link_with([function = std::move(function), copy = *this]() mutable { function(copy); });
  }

 private:
  template <class Function, class... Arguments>
  friend GreenThread<detail::ResultOf<Function, Arguments...>> spawn_at(Deadline when, Function&& function,
                                                                        Arguments&&... arguments);

  explicit GreenThread(detail::TaskPointer task) : Greenlet(std::move(task)) {}
};

/// As spawn, at a time: the thread begins when it comes. Never: at once.
template <class Function, class... Arguments>
GreenThread<detail::ResultOf<Function, Arguments...>> spawn_at(Deadline when, Function&& function,
                                                               Arguments&&... arguments) {
  using R = detail::ResultOf<Function, Arguments...>;
  auto* task = new detail::ResultTask<R, std::decay_t<Function>, std::decay_t<Arguments>...>(
      std::forward<Function>(function), std::forward<Arguments>(arguments)...);
  detail::TaskPointer owned(task);
  detail::start(*task, when);
  return GreenThread<R>(std::move(owned));
}

/// Makes a green thread that calls `function(arguments…)` (copies of them, as std::thread), and returns at once: it
/// runs when the caller waits or yields, after those that are ready already. From green and kernel threads, once guv
/// has been started by the main thread. Throws std::system_error when there are no stacks left, or no green threads to
/// be had.
template <class Function, class... Arguments>
auto spawn(Function&& function, Arguments&&... arguments) {
  return spawn_at(Deadline::never(), std::forward<Function>(function), std::forward<Arguments>(arguments)...);
}

/// As spawn, `delay` (a duration) from now. cancel() prevents it until then.
template <class Function, class... Arguments>
auto spawn_after(Deadline delay, Function&& function, Arguments&&... arguments) {
  return spawn_at(delay, std::forward<Function>(function), std::forward<Arguments>(arguments)...);
}

/// As spawn for a function whose result nobody wants. What it throws is printed on standard error (see hub_exceptions),
/// GreenExit excepted.
template <class Function, class... Arguments>
Greenlet spawn_n(Function&& function, Arguments&&... arguments) {
  detail::TaskPointer task(new detail::PlainTask<std::decay_t<Function>, std::decay_t<Arguments>...>(
      std::forward<Function>(function), std::forward<Arguments>(arguments)...));
  detail::start(*task.get(), Deadline::never());
  return Greenlet(std::move(task));
}

/// The calling green thread, also one that pthread_create made, and the main thread. Names none on a kernel thread.
inline Greenlet current() {
  guv_thread* handle = guv_thread_current();
  if (!handle) return {};
  detail::TaskPointer task(new detail::Task);
  task->handle = handle;
  return Greenlet(std::move(task));
}

/// See Greenlet::kill.
inline void kill(Greenlet thread, std::exception_ptr exception = std::make_exception_ptr(GreenExit())) {
  thread.kill(std::move(exception));
}

/// Suspends the caller until the deadline (a duration from now, usually). sleep() alone lets the others run once.
inline void sleep(Deadline deadline = Deadline::at_once()) { detail::check(guv_sleep_until(deadline.nanoseconds())); }

/// Lets the others run. With `switch_back` false the caller is suspended until somebody calls wake() on it.
inline void gyield(bool switch_back = true) { detail::check(switch_back ? guv_yield() : guv_park(GUV_NEVER)); }

/// Whether what ends threads that nobody asks is printed; returns what it was.
inline bool hub_exceptions(bool print) { return guv_hub_exceptions(print); }

}  // namespace v1
}  // namespace guv
