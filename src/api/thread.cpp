// Green threads: making, ending, waiting for them.
#include "api/thread.hpp"

#include <string.h>

#include <memory>
#include <new>

#include "api/api.hpp"
#include "base/config.hpp"

using namespace guv;

namespace {

guv_thread* record_of(GreenThread& thread) { return static_cast<guv_thread*>(thread.record); }

// ---- the end ----------------------------------------------------------------------------------------------------

// On the thread itself: links may wait.
void end(GreenThread& me) {
  guv_thread* record = record_of(me);
  if (me.by_pthread_exit) record->error = 0;
  if (!record->error) record->result = me.result;
  memcpy(record->name, me.name, sizeof record->name);
  record->green = nullptr;
  record->ended.store(1, std::memory_order_seq_cst);
  runtime().lot().unpark_all(&record->ended);
  while (api::Link* link = record->links.pop_front()) {
    const std::unique_ptr<api::Link> owned(link);
    link->function(record, link->argument);
  }
  if (record->task.dispose) record->task.dispose(record->task.argument);
  guv_thread_release(record);
}

// ---- the beginning ----------------------------------------------------------------------------------------------

void* body(void* argument) {
  auto* record = static_cast<guv_thread*>(argument);
  if (record->begun) return nullptr;  // cancelled
  record->begun = true;
  record->error = -ECANCELED;  // unless it returns
  void* result = record->task.run(record->task.argument);
  record->error = 0;
  return result;
}

/// On the hub. False when stacks have run out.
bool begin(guv_thread& record) {
  SpawnOptions options;
  options.stack_size = record.task.stack_size ? record.task.stack_size : default_stack_size();
  options.detached = true;
  GreenThread* green = runtime().hub().spawn(options, &body, &record);
  if (!green) return false;
  record.green = green;
  green->record = &record;
  green->at_end = &end;
  if (*record.name) memcpy(green->name, record.name, sizeof green->name);
  return true;
}

/// The thread's time has come, or it has been cancelled before: a cancelled one runs too, to call its links.
void begin_late(Timer& timer) {
  guv_thread& record = *static_cast<api::StartTimer&>(timer).record;
  if (begin(record)) return;
  // No stack: asked again later, for there is nobody to be told.
  constexpr int64_t patience = 10'000'000;
  runtime().hub().arm(timer, Deadline::in(patience));
}

// ---- for others' threads ----------------------------------------------------------------------------------------

bool not_begun(const guv_thread& record) { return !record.begun && !record.ended.load(std::memory_order_relaxed); }

/// On the hub; the thread has not begun.
void cancel(guv_thread& record, int error) {
  record.begun = true;
  record.error = error;
  if (!record.start.armed()) return;
  runtime().hub().disarm(record.start);
  begin_late(record.start);
}

}  // namespace

extern "C" {

int guv_start(void) { return start_runtime() ? 0 : -ENOTSUP; }

int guv_spawn(guv_thread** thread, void* (*function)(void*), void* argument) {
  guv_task task{};
  task.run = function;
  task.argument = argument;
  return guv_spawn_task(thread, &task);
}

int guv_spawn_task(guv_thread** thread, const guv_task* task) {
  if (const int error = guv_start()) return error;
  auto* record = new (std::nothrow) guv_thread;
  if (!record) return -EAGAIN;
  record->task = *task;
  record->start.record = record;
  record->start.fire = &begin_late;
  record->references.store(thread ? 2 : 1, std::memory_order_relaxed);
  const bool begun = api::on_hub([record] {
    if (record->task.delay <= 0) return begin(*record);
    runtime().hub().arm(record->start, Deadline::in(record->task.delay));
    return true;
  });
  if (!begun) {
    delete record;
    return -EAGAIN;
  }
  if (thread) *thread = record;
  return 0;
}

guv_thread* guv_thread_current(void) {
  GreenThread* me = self();
  if (!me) return nullptr;
  if (!me->record) {
    auto* record = new (std::nothrow) guv_thread;
    if (!record) return nullptr;
    record->green = me;
    record->begun = true;
    me->record = record;
    me->at_end = &end;
  }
  return guv_thread_retain(record_of(*me));
}

guv_thread* guv_thread_retain(guv_thread* thread) {
  thread->references.fetch_add(1, std::memory_order_relaxed);
  return thread;
}

void guv_thread_release(guv_thread* thread) {
  if (thread && thread->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete thread;
}

int guv_thread_wait(guv_thread* thread, void** result, int64_t deadline) {
  if (const int error = api::wait_at(&thread->ended, deadline, [=] { return !thread->ended.load(); })) return error;
  if (result) *result = thread->result;
  return thread->error;
}

int guv_thread_is_alive(const guv_thread* thread) { return !thread->ended.load(); }

int guv_thread_cancel(guv_thread* thread, int error) {
  return api::on_hub([=] {
    if (!not_begun(*thread)) return 0;
    cancel(*thread, error);
    return 1;
  });
}

int guv_thread_interrupt(guv_thread* thread, int error, void (*raise)(void*), void* argument) {
  const int outcome = api::on_hub([=] {
    if (not_begun(*thread)) {
      cancel(*thread, error);
      return 1;
    }
    if (!thread->green) return -ESRCH;
    if (thread->kill.linked()) return -EBUSY;
    thread->kill.error = -error;
    thread->kill.raise = raise;
    thread->kill.argument = argument;
    runtime().hub().interrupt(*thread->green, thread->kill);
    return 0;
  });
  if (outcome < 0 || !self()) return outcome;
  const int own = guv_yield();
  return own ? own : outcome;
}

int guv_thread_kill(guv_thread* thread) { return guv_thread_interrupt(thread, -ECANCELED, nullptr, nullptr); }

int guv_thread_link(guv_thread* thread, guv_link_function function, void* argument) {
  std::unique_ptr<api::Link> link(new (std::nothrow) api::Link);
  if (!link) return -ENOMEM;
  link->function = function;
  link->argument = argument;
  const bool linked = api::on_hub([&] {
    if (thread->ended.load()) return false;
    thread->links.push_back(link.release());
    return true;
  });
  if (!linked) function(thread, argument);
  return 0;
}

int guv_thread_unlink(guv_thread* thread, guv_link_function function, void* argument) {
  api::Link* found = api::on_hub([=]() -> api::Link* {
    for (api::Link* link = thread->links.front(); link; link = thread->links.next(link)) {
      if (link->function != function || link->argument != argument) continue;
      link->unlink();
      return link;
    }
    return nullptr;
  });
  delete found;
  return found != nullptr;
}

void guv_thread_name(const guv_thread* thread, char name[16]) {
  api::on_hub([=] {
    memcpy(name, thread->green ? thread->green->name : thread->name, sizeof thread->name);
    return 0;
  });
}

void guv_thread_set_name(guv_thread* thread, const char* name) {
  api::on_hub([=] {
    char* to = thread->green ? thread->green->name : thread->name;
    strncpy(to, name, sizeof thread->name - 1);
    to[sizeof thread->name - 1] = '\0';
    return 0;
  });
}

int guv_park(int64_t deadline) {
  GreenThread* me = self();
  if (!me) return api::on_the_loop() ? -EDEADLK : -EPERM;
  guv_thread* record = guv_thread_current();
  if (!record) return -ENOMEM;
  guv_thread_release(record);  // the thread itself keeps it
  const int result = api::wait_at(&record->woken, deadline, [=] { return !record->woken.load(); });
  record->woken.store(0);
  return result;
}

void guv_thread_wake(guv_thread* thread) {
  thread->woken.store(1, std::memory_order_seq_cst);
  runtime().lot().unpark_all(&thread->woken);
}

int guv_hub_exceptions(int print) {
  static std::atomic<int> printed{1};
  return print < 0 ? printed.load() : printed.exchange(print != 0);
}

}  // extern "C"
