// Pools for C: those of pool.hpp, with the C API's threads.
#include "guv/pool.hpp"

#include "api/exceptions.hpp"

using guv::Deadline;
using guv::api::make;
using guv::api::without_exceptions;
using guv::detail::Membership;
using guv::detail::PoolState;

namespace {

/// What a thread of a pool calls.
struct Call {
  void* (*function)(void*);
  void* argument;
  Membership membership;
};

void* run(void* argument) {
  auto* call = static_cast<Call*>(argument);
  call->membership.begin();
  return call->function(call->argument);
}

void dispose(void* argument) { delete static_cast<Call*>(argument); }

int spawn(const std::shared_ptr<PoolState>& pool, guv_thread** thread, void* (*function)(void*), void* argument) {
  const int entered = pool->enter();
  if (entered < 0) return entered;
  const bool lends = entered;
  return without_exceptions([&] {
    Membership membership(pool, !lends);
    std::unique_ptr<Call> call(new Call{function, argument, std::move(membership)});
    guv_task task{};
    task.run = &run;
    task.argument = call.get();
    task.dispose = &dispose;
    guv_thread* made = nullptr;
    if (const int error = guv_spawn_task(&made, &task)) return error;
    call.release();
    if (lends) guv_thread_wait(made, nullptr, GUV_NEVER);
    if (thread) {
      *thread = made;
    } else {
      guv_thread_release(made);
    }
    return 0;
  });
}

}  // namespace

struct guv_pool {
  std::shared_ptr<PoolState> state;
};

struct guv_pile {
  std::shared_ptr<PoolState> pool;
  void* (*function)(void*) = nullptr;
  int (*next)(void*, void**) = nullptr;  // until it has given its last item
  void* argument = nullptr;
  std::deque<guv_thread*> threads;

  ~guv_pile() {
    for (guv_thread* thread : threads) guv_thread_release(thread);
  }

  int add(void* (*called)(void*), void* with) {
    return without_exceptions([&] {
      threads.push_back(nullptr);
      const int error = spawn(pool, &threads.back(), called, with);
      if (error) threads.pop_back();
      return error;
    });
  }

  int refill() {
    if (!next) return 0;
    int error = 0;
    const bool more = pool->fill(threads, [&] {
      void* item = nullptr;
      if (!next(argument, &item)) return false;
      error = add(function, item);
      return error == 0;
    });
    if (!more && !error) next = nullptr;
    return error;
  }
};

extern "C" {

guv_pool* guv_pool_new(size_t size) {
  guv_pool* pool = nullptr;
  without_exceptions([&] {
    pool = new guv_pool{std::make_shared<PoolState>(static_cast<long>(size))};
    return 0;
  });
  return pool;
}
void guv_pool_free(guv_pool* pool) { delete pool; }

int guv_pool_spawn(guv_pool* pool, guv_thread** thread, void* (*function)(void*), void* argument) {
  // The pool may be freed while we wait.
  const auto state = pool->state;
  return spawn(state, thread, function, argument);
}
int guv_pool_waitall(guv_pool* pool, int64_t deadline) {
  const auto state = pool->state;
  return state->is_mine() ? -EDEADLK : state->wait_until_idle(Deadline::at(deadline));
}
long guv_pool_available(const guv_pool* pool) { return pool->state->free(); }
size_t guv_pool_running(const guv_pool* pool) { return static_cast<size_t>(pool->state->running()); }
size_t guv_pool_waiting(const guv_pool* pool) { return pool->state->waiting(); }
void guv_pool_resize(guv_pool* pool, size_t size) { pool->state->resize(static_cast<long>(size)); }

guv_pile* guv_pile_new(guv_pool* pool) { return guv_starmap_new(pool, nullptr, nullptr, nullptr); }
guv_pile* guv_starmap_new(guv_pool* pool, void* (*function)(void*), int (*next)(void*, void**), void* argument) {
  guv_pile* pile = make<guv_pile>();
  if (!pile) return nullptr;
  pile->pool = pool->state;
  pile->function = function;
  pile->next = next;
  pile->argument = argument;
  return pile;
}
void guv_pile_free(guv_pile* pile) { delete pile; }
int guv_pile_spawn(guv_pile* pile, void* (*function)(void*), void* argument) { return pile->add(function, argument); }

int guv_pile_next(guv_pile* pile, void** result) {
  if (const int error = pile->refill()) return error;
  if (pile->threads.empty()) return 0;
  guv_thread* const thread = pile->threads.front();
  const int error = guv_thread_wait(thread, result, GUV_NEVER);
  if (guv_thread_is_alive(thread)) return error;  // the caller was killed
  pile->threads.pop_front();
  guv_thread_release(thread);
  return error ? error : 1;
}

}  // extern "C"
