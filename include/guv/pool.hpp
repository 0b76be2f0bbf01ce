#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "guv/deadline.hpp"
#include "guv/error.hpp"
#include "guv/green_thread.hpp"
#include "guv/semaphore.hpp"

/// Pools of green threads: no more than so many at once. The Python guv's greenpool.
namespace guv {
inline namespace v1 {

namespace detail {

/// What a pool and its threads share. A place in the pool is taken before a thread is made, and given back when the
/// thread has ended.
class PoolState {
 public:
  explicit PoolState(long size) : size_(size), places_(size) {}

  /// Takes a place. 1 when there is none, but the caller has one: then it is to wait, in its own place, until what it
  /// has begun is done. 0, or a negative errno value as guv_wait's.
  int enter() {
    const bool member = is_mine();
    const int result = places_.take(member ? Deadline::at_once() : Deadline::never());
    return member && result == -ETIMEDOUT ? 1 : result;
  }

  void leave() {
    places_.give(LONG_MAX);
    if (running() == 0) guv_wake(this, SIZE_MAX);
  }

  /// Whether the calling thread is of this pool.
  bool is_mine() const { return mine() == this; }
  void make_mine() const { mine() = this; }

  long size() const { return size_; }
  long free() const { return places_.count(); }
  long running() const { return size_ - places_.count(); }
  size_t waiting() const { return places_.waiting(); }
  void resize(long size) { places_.change(size - size_.exchange(size)); }

  /// Has `spawn_next()` called while there are places, and less `threads` than the pool is large, or until it returns
  /// false: then this does. To wait for a place is for those who have nothing else to wait for.
  template <class Threads, class SpawnNext>
  bool fill(const Threads& threads, SpawnNext spawn_next) const {
    while (static_cast<long>(threads.size()) < size() && (threads.empty() || free() > 0)) {
      if (!spawn_next()) return false;
    }
    return true;
  }

  /// As guv_wait.
  int wait_until_idle(Deadline deadline) {
    return guv_wait(
        this, [](void* pool) -> int { return static_cast<PoolState*>(pool)->running() > 0; }, this,
        deadline.nanoseconds());
  }

 private:
  static const PoolState*& mine() {
    static thread_local const PoolState* pool = nullptr;
    return pool;
  }

  std::atomic<long> size_;
  Permits places_;
};

/// A thread's membership of a pool, and its place there unless it runs in another's.
class Membership {
 public:
  Membership(std::shared_ptr<PoolState> pool, bool has_place) : pool_(std::move(pool)), has_place_(has_place) {}
  Membership(Membership&&) = default;
  Membership& operator=(Membership&&) = delete;
  ~Membership() {
    if (pool_ && has_place_) pool_->leave();
  }

  void begin() const { pool_->make_mine(); }

 private:
  std::shared_ptr<PoolState> pool_;
  bool has_place_;
};

/// Results of threads in the order in which these were made. `Refill` makes more of them, if it can, before one is
/// looked for.
template <class R, class Refill>
class OrderedResults {
 public:
  using Value = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

  explicit OrderedResults(Refill refill) : refill_(std::move(refill)) {}
  OrderedResults(const OrderedResults&) = delete;
  OrderedResults& operator=(const OrderedResults&) = delete;

  class iterator {
   public:
    using value_type = Value;
    using difference_type = std::ptrdiff_t;

    iterator() = default;
    explicit iterator(OrderedResults* results) : results_(results) {}

    /// Waits for the result; throws what the thread threw. Then ++ goes on to the next one.
    Value& operator*() const { return value_of(results_->threads_.front()); }
    iterator& operator++() {
      results_->threads_.pop_front();
      results_->refill_(results_->threads_);
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return results_->threads_.empty(); }

   private:
    OrderedResults* results_ = nullptr;
  };
  iterator begin() {
    refill_(threads_);
    return iterator(this);
  }
  std::default_sentinel_t end() const { return {}; }

  /// Waits for the next result and takes it out; nothing when there are no more. Throws what the thread threw.
  std::optional<Value> next() {
    refill_(threads_);
    if (threads_.empty()) return std::nullopt;
    const GreenThread<R> thread = std::move(threads_.front());
    threads_.pop_front();
    return std::move(value_of(thread));
  }

 protected:
  std::deque<GreenThread<R>> threads_;

 private:
  static Value& value_of(const GreenThread<R>& thread) {
    if constexpr (std::is_void_v<R>) {
      static Value nothing;
      thread.get();
      return nothing;
    } else {
      return thread.get();
    }
  }

  Refill refill_;
};

struct NoRefill {
  template <class Threads>
  void operator()(Threads&) const {}
};

}  // namespace detail

/// At most `size` green threads at a time. Who wants one more waits until one has ended.
///
///   guv::GreenPool pool(100);
///   for (const Url& url : urls) pool.spawn_n(fetch, url);
///   pool.waitall();
///
/// A thread of the pool may itself spawn: where there is no room it waits until what it has spawned has ended, instead
/// of for a place, which might never come. Copies are the same pool; threads run on when the last one goes.
class GreenPool {
 public:
  /// A pool of no threads yet.
  explicit GreenPool(size_t size = 1000) : state_(std::make_shared<detail::PoolState>(static_cast<long>(size))) {}

  /// As guv::spawn, when there is a place.
  template <class Function, class... Arguments>
  auto spawn(Function&& function, Arguments&&... arguments) {
    return in_place([&](detail::Membership membership) {
      return guv::spawn(member(std::move(membership), std::forward<Function>(function)),
                        std::forward<Arguments>(arguments)...);
    });
  }

  /// As guv::spawn_n, when there is a place.
  template <class Function, class... Arguments>
  void spawn_n(Function&& function, Arguments&&... arguments) {
    in_place([&](detail::Membership membership) {
      return guv::spawn_n(member(std::move(membership), std::forward<Function>(function)),
                          std::forward<Arguments>(arguments)...);
    });
  }

  /// Returns the range of `function(a, b…)` for each tuple (a, b…) of `arguments`, in this order. Each is called on a
  /// thread of the pool. As the results are looked at, more is taken from `arguments`: never are there more threads and
  /// results than the pool's size, however long it is, be it endless.
  ///
  ///   for (Page& page : pool.starmap(fetch, urls_and_depths)) …
  template <class Function, std::ranges::input_range Range>
  auto starmap(Function function, Range&& arguments) {
    return map(std::move(function), elements_of(std::views::all(std::forward<Range>(arguments))));
  }

  /// As starmap, for `function(a, b…)` with a from the first range, b from the second…; as long as the shortest.
  template <class Function, std::ranges::input_range... Ranges>
  auto imap(Function function, Ranges&&... ranges) {
    return map(std::move(function), tuples_of(elements_of(std::views::all(std::forward<Ranges>(ranges)))...));
  }

  /// Waits until no thread of the pool is left. False if some were at the deadline. Throws std::logic_error in a thread
  /// of the pool, which would wait for itself.
  bool waitall(Deadline deadline = {}) {
    if (state_->is_mine()) throw std::logic_error("waitall() called by one of the pool's own threads");
    return detail::in_time(state_->wait_until_idle(deadline));
  }

  /// How many can be spawned before one has to wait; negative after resize() to less than there are.
  long free() const { return state_->free(); }
  /// How many threads there are.
  size_t running() const { return static_cast<size_t>(state_->running()); }
  /// How many threads wait for a place.
  size_t waiting() const { return state_->waiting(); }
  /// How many there may be.
  size_t size() const { return static_cast<size_t>(state_->size()); }

  /// Changes the size. Threads that are too many run to their end.
  void resize(size_t size) { state_->resize(static_cast<long>(size)); }

 private:
  template <class Spawn>
  auto in_place(Spawn spawn) {
    const bool lends = detail::check(state_->enter());
    auto thread = spawn(detail::Membership(state_, !lends));
    if (lends) thread.join();
    return thread;
  }

  template <class Function>
  static auto member(detail::Membership membership, Function&& function) {
    return [membership = std::move(membership), function = std::decay_t<Function>(std::forward<Function>(function))](
               auto&&... arguments) mutable -> decltype(auto) {
      membership.begin();
      return std::invoke(std::move(function), std::forward<decltype(arguments)>(arguments)...);
    };
  }

  // Sources: functions that return one element after another, and then nothing.

  template <class View>
  static auto elements_of(View view) {
    using Element = std::ranges::range_value_t<View>;
    return [view = std::move(view),
            at = std::optional<std::ranges::iterator_t<View>>()]() mutable -> std::optional<Element> {
      if (at) {
        ++*at;
      } else {
        at.emplace(view.begin());
      }
      if (*at == view.end()) return std::nullopt;
      return **at;
    };
  }

  template <class... Sources>
  static auto tuples_of(Sources... sources) {
    return [sources = std::tuple(std::move(sources)...)]() mutable {
      auto elements = std::apply([](auto&... source) { return std::tuple{source()...}; }, sources);
      return std::apply(
          [](auto&... element) {
            using Tuple = std::tuple<typename std::remove_reference_t<decltype(element)>::value_type...>;
            return (element && ...) ? std::optional<Tuple>(std::in_place, std::move(*element)...) : std::nullopt;
          },
          elements);
    };
  }

  template <class Function, class Source>
  auto map(Function function, Source source) {
    using R = decltype(std::apply(function, std::move(*source())));
    auto refill = [pool = *this, function = std::move(function), source = std::move(source),
                   more = true](std::deque<GreenThread<R>>& threads) mutable {
      const auto spawn_next = [&] {
        auto arguments = source();
        if (!arguments) return false;
        const auto spawn = [&](auto&... argument) { return pool.spawn(function, std::move(argument)...); };
        threads.push_back(std::apply(spawn, *arguments));
        return true;
      };
      more = more && pool.state_->fill(threads, spawn_next);
    };
    return detail::OrderedResults<R, decltype(refill)>(std::move(refill));
  }

  std::shared_ptr<detail::PoolState> state_;
};

/// Calls whose results are wanted in the order of spawning.
///
///   guv::GreenPile<Page> pile(pool);
///   for (const Url& url : urls) pile.spawn(fetch, url);
///   for (Page& page : pile) …
///
/// For one thread. Its range ends when all that has been spawned by then has been had; what is spawned later makes it
/// go on.
template <class R>
class GreenPile : public detail::OrderedResults<R, detail::NoRefill> {
 public:
  /// On the threads of `pool`, which others may use too.
  explicit GreenPile(GreenPool pool) : detail::OrderedResults<R, detail::NoRefill>({}), pool_(std::move(pool)) {}
  /// On a pool of its own.
  explicit GreenPile(size_t size = 1000) : GreenPile(GreenPool(size)) {}

  /// As GreenPool::spawn; the result is found by iterating.
  template <class Function, class... Arguments>
  void spawn(Function&& function, Arguments&&... arguments) {
    this->threads_.push_back(pool_.spawn(std::forward<Function>(function), std::forward<Arguments>(arguments)...));
  }

 private:
  GreenPool pool_;
};

}  // namespace v1
}  // namespace guv
