#include "hub/hub.hpp"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <uv.h>

#include <new>

#include "base/config.hpp"
#include "base/log.hpp"
#include "base/mapping.hpp"
#include "base/real.hpp"
#include "base/sys.hpp"
#include "base/tcb.hpp"
#include "hub/signals.hpp"
#include "hub/thread_body.hpp"
#include "runtime.hpp"

namespace guv {

thread_local PerThread per_thread __attribute__((tls_model("initial-exec")));

namespace {

ptrdiff_t per_thread_offset() { return reinterpret_cast<uintptr_t>(&per_thread) - thread_pointer(); }

PerThread& per_thread_of(uintptr_t handle) { return *reinterpret_cast<PerThread*>(handle + per_thread_offset()); }

}  // namespace

GreenThread* green_thread_of(pthread_t handle) {
  return handle ? per_thread_of(static_cast<uintptr_t>(handle)).owner : nullptr;
}

void Critical::leave_on_kernel_thread() {
  if (--per_thread.critical == 0 && per_thread.signal_waits) signals::unblock_on_kernel_thread();
}

// ---- start ------------------------------------------------------------------------------------------------------

bool Hub::make_wake_fd() {
  const long fd = sys::call(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (sys::failed(fd)) return false;
  wake_fd_ = private_fd::hide(static_cast<int>(fd));
  return poller_.watch_own(
      wake_fd_,
      [](void* argument) {
        uint64_t count;
        sys::call(SYS_read, static_cast<Hub*>(argument)->wake_fd_, &count, sizeof count);
      },
      this);
}

bool Hub::adopt_caller(GreenThread& main_thread, const char** why_not) {
  if (poller_.descriptor() < 0 || !make_wake_fd()) {
    *why_not = "no file descriptors left for the hub (raise ulimit -n)";
    return false;
  }
  const size_t size = loop_stack_size + tcb::static_size();
  void* memory = map_memory(size, MAP_NORESERVE | MAP_STACK);
  if (!memory) {
    *why_not = "no memory for the hub's stack";
    return false;
  }
  auto* stack = static_cast<char*>(memory);
  mprotect(stack, StackPool::guard_size, PROT_NONE);
  const uintptr_t loop_tcb = tcb::build(reinterpret_cast<uintptr_t>(stack) + size, reinterpret_cast<uintptr_t>(stack), size);
  if (!loop_tcb) {
    *why_not = "no memory for the hub's thread control block";
    return false;
  }
  prepare_context(loop_context_, stack + StackPool::guard_size,
                  reinterpret_cast<void*>(tcb::stack_top_below(loop_tcb)), &Hub::run_loop, this);
  loop_context_.thread_pointer = loop_tcb;
  // On the loop libc thinks of the kernel thread that it is.
  tcb::set_tid(loop_tcb, tcb::tid_of(thread_pointer()));
  per_thread_of(loop_tcb) = {nullptr, this, 0, false, 0, nullptr};

  main_thread.handle = thread_pointer();
  main_thread.context.thread_pointer = main_thread.handle;
  main_thread.hub = this;
  main_thread.id = next_id_++;
  main_thread.state = State::running;
  main_thread.timer.thread = &main_thread;
  main_thread.timer.fire = &Hub::end_sleep;
  threads_.push_back(&main_thread);
  live_ = 1;
  current_ = &main_thread;
  per_thread = {&main_thread, this, 0, false, 0, &main_thread};
  return true;
}

// Slots are whole pages apart: without this the hot lines of all threads would compete for the same few sets of the caches.
// Not more than what keeps TCB and first frames within two pages.
constexpr size_t colours = 16, cache_line = 64;
static size_t colour_of(const StackSlot& slot) {
  return reinterpret_cast<uintptr_t>(slot.base) / slot.size % colours * cache_line;
}

GreenThread* Hub::spawn(const SpawnOptions& options, void* (*start)(void*), void* argument) {
  // The slot holds this struct, the TCB and static TLS besides the stack. glibc takes TLS from the asked-for size and
  // adds the guard; a stack of the program's own holds frames only.
  constexpr size_t frames_for_own = 4096;
  const size_t room = sizeof(GreenThread) + (colours + 1) * cache_line + (options.user_stack ? tcb::static_size() + frames_for_own : 0);
  const size_t stack_size = options.user_stack ? 0 : options.stack_size;
  bool reused = false;
  runtime().preemption().arm();
  const StackSlot slot = [&] {
    const Critical critical;
    return stacks_.take(stack_size + room, &reused);
  }();
  if (!slot) return nullptr;
  // Not in a critical section: libc allocates memory and takes the loader's lock for the TCB, and may have to wait.
  const auto place =
      ((reinterpret_cast<uintptr_t>(slot.top()) - sizeof(char*) - sizeof(GreenThread)) & ~uintptr_t{63}) - colour_of(slot);
  auto* thread = reinterpret_cast<GreenThread*>(place);
  char* low = options.user_stack ? options.user_stack : slot.base + StackPool::guard_size;
  uintptr_t handle;
  if (reused) {
    handle = thread->handle;
    tcb::recycle(handle);
    new (static_cast<ThreadLife*>(thread)) ThreadLife;
  } else {
    new (thread) GreenThread;
    handle = tcb::build(place, reinterpret_cast<uintptr_t>(low), stack_size);
    if (!handle) {
      give_back(slot);
      return nullptr;
    }
  }
  thread->handle = handle;
  thread->hub = this;
  thread->id = next_id_++;
  thread->start = start;
  thread->argument = argument;
  thread->join = options.detached ? GreenThread::Join::detached : GreenThread::Join::joinable;
  thread->slot = slot;
  thread->own_stack = options.user_stack != nullptr;
  thread->guard_size = options.guard_size;
  thread->timer.thread = thread;
  thread->timer.fire = &Hub::end_sleep;
  char* top = options.user_stack ? options.user_stack + options.stack_size : reinterpret_cast<char*>(place);
  thread->stack_size = options.stack_size;
  thread->stack_low = top - options.stack_size;
  if (!options.user_stack) {
    // It begins at a page, as libc's do: the Java machine maps its own guard there.
    constexpr uintptr_t page = 4096;
    thread->stack_low += -reinterpret_cast<uintptr_t>(thread->stack_low) & (page - 1);
  }
  per_thread_of(handle) = {thread, this, 0, false, 0, thread};
  void* frames = options.user_stack ? reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(top) & ~uintptr_t{63})
                                    : reinterpret_cast<void*>(tcb::stack_top_below(handle));
  prepare_context(thread->context, low, frames, &Hub::run_thread, thread);
  thread->context.thread_pointer = handle;
  const Critical critical;
  const GreenThread& creator = current_ ? *current_ : runtime().main_thread();
  signals::inherit_mask(creator, *thread);
  strcpy(thread->name, creator.name);
  threads_.push_back(thread);
  ++live_;
  ++counts_.threads;
  thread->state = State::ready;
  ready_.push_back(thread);
  return thread;
}

// ---- running ----------------------------------------------------------------------------------------------------

void Hub::run_thread(void* argument) {
  auto* me = static_cast<GreenThread*>(argument);
  me->hub->leave_critical();
  tcb::on_thread_start(me->handle);
  if (signals::deliverable(*me)) [[unlikely]] signals::run_pending(*me);
  run_thread_body(*me);
  me->hub->end_thread();
}

inline void Hub::make_ready(GreenThread* thread) {
  thread->state = State::ready;
  ready_.push_back(thread);
}

inline void Hub::unpark_here(GreenThread* thread) {
  switch (thread->state) {
    case State::parked:
      deadlines_.disarm(thread->timer);
      make_ready(thread);
      break;
    case State::elsewhere:
      reach(*thread);
      [[fallthrough]];
    case State::running:
      thread->permit = true;
      break;
    case State::ready:  // it will look at its condition when it runs
    case State::finished:
      break;
  }
}

void Hub::unpark(GreenThread* thread) {
  Hub* hub = thread->hub;
  if (per_thread.hub == hub) {
    hub->enter_critical();
    hub->unpark_here(thread);
    hub->leave_critical();
  } else {
    hub->unpark_from_elsewhere(thread);
  }
}

void Hub::unpark_from_elsewhere(GreenThread* thread) {
  if (thread->in_inbox.exchange(true, std::memory_order_acq_rel)) return;
  unparked_.put(*thread);
  if (asleep_.load(std::memory_order_seq_cst)) wake_loop();
}

void Hub::interrupt(GreenThread& thread, Interrupt& interrupt) {
  thread.interrupts.push_back(&interrupt);
  unpark_here(&thread);
}

int Hub::take_interrupt(GreenThread& me) {
  Interrupt* interrupt = me.interrupts.pop_front();
  if (!interrupt) return 0;
  // Whoever sent it may be gone once it is taken.
  const int error = interrupt->error;
  if (interrupt->raise) interrupt->raise(interrupt->argument);
  return error;
}

void Hub::forget(Timeout& timeout) {
  if (timeout.armed()) deadlines_.disarm(timeout);
  timeout.interrupt.unlink();
  timeout.TimeoutLink::unlink();
}

void Hub::post(Post& post) {
  posted_.put(post);
  if (asleep_.load(std::memory_order_seq_cst)) wake_loop();
}

void Hub::make_posted_calls() {
  posted_.take_all([](Post& post) { post.call(post); });
}

void Hub::wake_loop() {
  const uint64_t one = 1;
  sys::call(SYS_write, wake_fd_, &one, sizeof one);
}

void Hub::take_unparked() {
  unparked_.take_all([this](GreenThread& thread) {
    // From here on it may be put in again.
    thread.in_inbox.exchange(false, std::memory_order_acq_rel);
    if (thread.state == State::finished && thread.join == GreenThread::Join::collected) return release(&thread);
    if (thread.state == State::elsewhere && thread.returned.load(std::memory_order_relaxed)) thread.state = State::parked;
    unpark_here(&thread);
  });
}

void Hub::yield() {
  enter_critical();
  GreenThread* me = current_;
  if (ready_.empty()) {
    // Alone: look at the loop every time, so that a spinning thread sees I/O, timers and other kernel threads; and let
    // other processes run.
    sys::call(SYS_sched_yield);
    me->state = State::ready;
    ready_.push_back(me);
    current_ = nullptr;
    last_look_ = 0;
    guv_switch_context(&me->context, &loop_context_);
  } else {
    make_ready(me);
    switch_away(me);
  }
  leave_critical();
  if (signals::deliverable(*me)) [[unlikely]] signals::run_pending(*me);
}

void Hub::preempt() {
  enter_critical();
  GreenThread* me = current_;
  make_ready(me);
  current_ = nullptr;
  last_look_ = 0;
  guv_switch_context(&me->context, &loop_context_);
  leave_critical();
}

void Hub::let_others_run() {
  calls_left_ = calls_between_looks;
  if (critical_ == 0 && now() - last_look_ >= slice) yield();
}

// ---- the loop ---------------------------------------------------------------------------------------------------

void Hub::run_loop(void* hub) { static_cast<Hub*>(hub)->loop(); }

void Hub::loop() {
  for (;;) {
    loop_once();
    GreenThread* next = ready_.pop_front();
    if (!next) continue;
    next->state = State::running;
    current_ = next;
    guv_switch_context(&loop_context_, &next->context);
  }
}

// Runs with signals held: the switch that led here was made in a critical section, and so is the one that leads away.
void Hub::loop_once() {
  if (departed_) {
    GreenThread* thread = departed_;
    departed_ = nullptr;
    finish(thread);
  }
  if (go_) {
    auto go = go_;
    go_ = nullptr;
    go(go_argument_);
  }
  const int64_t time = now();
  if (!ready_.empty() && time - last_look_ < slice) return;
  take_unparked();
  make_posted_calls();
  if (signal_held_.load(std::memory_order_relaxed)) deliver_held_signal();
  if (!deadlines_.empty()) fire_deadlines();

  Deadline until = Deadline::at(0);
  if (ready_.empty()) {
    until = deadlines_.next();
    if (uv_loop_) {
      const int timeout = uv_backend_timeout(uv_loop_);
      if (timeout >= 0 && Deadline::in_milliseconds(timeout) < until) until = Deadline::in_milliseconds(timeout);
    }
    // Whoever sends after this store sees it and wakes us; whoever sent before is seen by the look at the inboxes.
    asleep_.store(true, std::memory_order_seq_cst);
    if (anything_sent() || signal_held_.load()) until = Deadline::at(0);
  }
  ++counts_.polls;
  poller_.wait(until);
  asleep_.store(false, std::memory_order_relaxed);
  last_look_ = now();
  if (signal_held_.load(std::memory_order_relaxed)) deliver_held_signal();
  take_unparked();
  make_posted_calls();
  if (!deadlines_.empty()) fire_deadlines();
  if (uv_loop_) run_uv();
}

void Hub::fire_deadlines() {
  deadlines_.advance(now(), [](Timer& timer) { timer.fire(timer); });
}

void Hub::end_sleep(Timer& timer) {
  GreenThread* thread = static_cast<SleepTimer&>(timer).thread;
  if (thread->state == State::elsewhere) return thread->hub->reach(*thread);
  thread->timed_out = true;
  thread->hub->make_ready(thread);
}

// ---- the end of threads -----------------------------------------------------------------------------------------

void Hub::end_thread() {
  enter_critical();
  GreenThread* me = current_;
  while (Timeout* timeout = me->timeouts.front()) forget(*timeout);
  me->state = State::finished;
  departed_ = me;
  current_ = nullptr;
  ++counts_.switches;
  guv_switch_context(&me->context, &loop_context_);
  __builtin_unreachable();
}

void Hub::finish(GreenThread* thread) {
  --live_;
  threads_.remove(thread);
  signals::forget(*thread);
  if (thread->join == GreenThread::Join::detached) {
    release(thread);
    return;
  }
  // A joiner on another kernel thread may free the program's own stack as soon as it sees this.
  thread->finished.store(1, std::memory_order_seq_cst);
  runtime().lot().unpark_all(&thread->finished);
}

void Hub::release(GreenThread* thread) {
  if (per_thread.hub != this) {
    // Joined by another kernel thread: the pool is the hub's own.
    thread->join = GreenThread::Join::collected;
    unpark_from_elsewhere(thread);
    return;
  }
  enter_critical();
  thread->join = GreenThread::Join::gone;
  give_back(thread->slot);
  leave_critical();
}

void Hub::give_back(const StackSlot& slot) {
  if (!stacks_.give_back(slot) || trim_timer_.armed()) return;
  trim_timer_.fire = [](Timer& timer) {
    Hub& hub = runtime().hub();
    if (hub.stacks_.trim()) hub.arm(timer, Deadline::in(StackPool::patience));
  };
  arm(trim_timer_, Deadline::in(StackPool::patience));
}

void Hub::leave(void (*go)(void*), void* argument) {
  enter_critical();
  GUV_ASSERT(critical_ == 1, "a green thread waits in the middle of a critical section");
  GreenThread* me = current_;
  me->state = State::elsewhere;
  me->permit = false;
  go_ = go;
  go_argument_ = argument;
  current_ = nullptr;
  ++counts_.switches;
  me->returned.store(false, std::memory_order_relaxed);
  guv_switch_context(&me->context, &loop_context_);
}

void Hub::reach(GreenThread& thread) {
  deadlines_.disarm(thread.timer);
  if (const int64_t patience = runtime().offload().reach(thread)) deadlines_.arm(thread.timer, Deadline::at(now() + patience));
}

// ---- signals ----------------------------------------------------------------------------------------------------

void Hub::hold_signal(const siginfo_t& info) {
  held_info_ = info;
  signal_held_.store(true, std::memory_order_relaxed);
  // The loop may be just about to sleep, and not asleep yet.
  if (asleep_.load(std::memory_order_relaxed)) wake_loop();
}

void Hub::deliver_held_signal() {
  const siginfo_t info = held_info_;
  signal_held_.store(false, std::memory_order_relaxed);
  signals::take(info);
  signals::unblock_after_hold();
  if (GreenThread* me = self(); me && critical_ == 0) signals::run_arrived(*me);
}

// ---- libuv ------------------------------------------------------------------------------------------------------

uv_loop_s* Hub::uv_loop() {
  if (!uv_loop_ && !nest_uv()) return nullptr;
  return uv_loop_;
}

bool Hub::nest_uv() {
  auto* loop = static_cast<uv_loop_t*>(malloc(sizeof(uv_loop_t)));
  if (!loop || uv_loop_init(loop) != 0) {
    free(loop);
    return false;
  }
  if (!poller_.watch_own(uv_backend_fd(loop), [](void*) {}, nullptr)) {
    uv_loop_close(loop);
    free(loop);
    return false;
  }
  uv_loop_ = loop;
  return true;
}

void Hub::run_uv() {
  if (uv_loop_alive(uv_loop_)) uv_run(uv_loop_, UV_RUN_NOWAIT);
}

// ---- fork -------------------------------------------------------------------------------------------------------

void Hub::after_fork(GreenThread* survivor) {
  ready_.abandon();
  deadlines_.abandon();
  trim_timer_.reset();
  unparked_.abandon();
  posted_.abandon();
  asleep_.store(false, std::memory_order_relaxed);
  threads_.abandon();
  survivor->SiblingLink::reset();
  survivor->ReadyLink::reset();
  survivor->timer.reset();
  threads_.push_back(survivor);
  survivor->in_inbox.store(false, std::memory_order_relaxed);
  live_ = 1;
  departed_ = nullptr;
  counts_ = {};
  poller_.after_fork();
  if (wake_fd_ >= 0) {
    private_fd::forget(wake_fd_);
    sys::call(SYS_close, wake_fd_);
  }
  make_wake_fd();
  if (uv_loop_) {
    if (uv_loop_fork(uv_loop_) == 0) poller_.watch_own(uv_backend_fd(uv_loop_), [](void*) {}, nullptr);
  }
  stacks_.after_fork(survivor->slot.base);
  tcb::set_tid(loop_context_.thread_pointer, static_cast<int>(sys::call(SYS_gettid)));
}

}  // namespace guv
