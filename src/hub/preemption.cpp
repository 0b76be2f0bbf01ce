#include "hub/preemption.hpp"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>

#include "arch/signal_stack.hpp"
#include "base/config.hpp"
#include "base/mapping.hpp"
#include "base/real.hpp"
#include "base/sys.hpp"
#include "base/tcb.hpp"
#include "hub/hub.hpp"
#include "hub/signals.hpp"
#include "runtime.hpp"

namespace guv {

namespace {

// SIGSETXID: programs cannot block it, and libc has installed its handler once and for all with the first kernel thread. What
// libc itself sends comes by tgkill, and goes on to that handler.
constexpr int tick_signal = 33;
constexpr long period = 10'000'000;  // ns of processor time
constexpr long closer = 30'000;      // ns between looks when a tick came at the wrong moment
constexpr int looks = 100;           // and how many, until the next tick
constexpr int red_zone = 128;
constexpr size_t aside_size = 256 * 1024;

// What rt_sigaction(2) takes.
struct KernelAction {
  void (*handler)(int, siginfo_t*, void*);
  unsigned long flags;
  void (*restorer)();
  uint64_t mask;
};

char marker, closer_marker;  // our timers' values

int make_timer(clockid_t clock, void* value) {
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = tick_signal;
  event.sigev_value.sival_ptr = value;
  event._sigev_un._tid = static_cast<int>(sys::call(SYS_gettid));
  int timer;
  return sys::failed(sys::call(SYS_timer_create, clock, &event, &timer)) ? -1 : timer;
}

uintptr_t address_of(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

// malloc itself. In an executable that takes its address without being position-independent (Debian's python3), what dlsym
// finds first is an entry of the executable's PLT: the symbol is used there, and defined by a library that comes later.
void* allocator() {
  void* const address = dlsym(RTLD_DEFAULT, "malloc");
  Dl_info info;
  void* symbol = nullptr;
  const bool found = address && dladdr1(address, &info, &symbol, RTLD_DL_SYMENT) && symbol;
  return found && static_cast<ElfW(Sym)*>(symbol)->st_shndx == SHN_UNDEF ? dlsym(RTLD_NEXT, "malloc") : address;
}

// Where the free stack that ends at `top` keeps the end of the next one.
char*& next_aside(char* top) { return *reinterpret_cast<char**>(top - aside_size); }

// The kernel's mask is 8 bytes in a larger field.
uint64_t& mask_in(ucontext_t& context) { return *reinterpret_cast<uint64_t*>(&context.uc_sigmask); }

}  // namespace

void Preemption::start() {
  if (!prepared_) {
    prepared_ = true;
    find_ranges();
    constexpr size_t room_to_yield = 2048, oldest_frame = 2048;
    room_needed_ = std::max<size_t>(getauxval(AT_MINSIGSTKSZ), oldest_frame) + red_zone + room_to_yield;
    rlimit limit{};
    getrlimit(RLIMIT_STACK, &limit);
    main_stack_end_ = getauxval(AT_EXECFN);
    constexpr rlim_t at_most = rlim_t{1} << 30;
    main_stack_begin_ = main_stack_end_ - std::min(limit.rlim_cur, at_most);
    possible_ = take_signal() && config().preempt;
  }
  if (!possible_) return;
  timer_ = make_timer(CLOCK_THREAD_CPUTIME_ID, &marker);
  closer_timer_ = make_timer(CLOCK_MONOTONIC, &closer_marker);
  if (timer_ < 0) {
    possible_ = false;  // RLIMIT_SIGPENDING
    return;
  }
  const itimerspec every{{0, period}, {0, period}};
  sys::call(SYS_timer_settime, timer_, 0, &every, nullptr);
}

void Preemption::disarm() {
  for (int* timer : {&timer_, &closer_timer_}) {
    if (*timer >= 0) sys::call(SYS_timer_delete, *timer);
    *timer = -1;
  }
}

bool Preemption::take_signal() {
  KernelAction before{}, any_of_ours{};
  // libc's way back from a handler is the same for all signals; SIGSEGV has it since signals::start.
  if (sys::failed(sys::call(SYS_rt_sigaction, tick_signal, nullptr, &before, sys::signal_set_size)) ||
      sys::failed(sys::call(SYS_rt_sigaction, SIGSEGV, nullptr, &any_of_ours, sys::signal_set_size))) {
    return false;
  }
  constexpr uintptr_t ignore = 1;
  if (reinterpret_cast<uintptr_t>(before.handler) > ignore) previous_ = before.handler;
  KernelAction ours = any_of_ours;
  ours.handler = &Preemption::on_tick;
  ours.flags = (any_of_ours.flags & ~static_cast<unsigned long>(SA_RESETHAND | SA_NODEFER)) | SA_SIGINFO | SA_RESTART |
               SA_ONSTACK;
  ours.mask = ~uint64_t{0};
  return !sys::failed(sys::call(SYS_rt_sigaction, tick_signal, &ours, nullptr, sys::signal_set_size));
}

void Preemption::find_ranges() {
  const uintptr_t excluded[] = {
      address_of(&marker),                                             // guv
      address_of(reinterpret_cast<void*>(real().pthread_mutex_lock)),  // libc, or libpthread
      address_of(reinterpret_cast<void*>(real().sigaction)),
      address_of(dlsym(RTLD_DEFAULT, "_dl_allocate_tls")),  // the dynamic linker
      address_of(allocator()),                              // libc's, the program's, a sanitizer's
      static_cast<uintptr_t>(getauxval(AT_SYSINFO_EHDR)),
  };
  struct Search {
    const uintptr_t* excluded;
    size_t count;
    Preemption* self;
  } search{excluded, sizeof excluded / sizeof *excluded, this};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* argument) {
        auto& search = *static_cast<Search*>(argument);
        uintptr_t begin = ~uintptr_t{0}, end = 0;
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& segment = info->dlpi_phdr[i];
          if (segment.p_type != PT_LOAD) continue;
          begin = std::min(begin, static_cast<uintptr_t>(info->dlpi_addr + segment.p_vaddr));
          end = std::max(end, static_cast<uintptr_t>(info->dlpi_addr + segment.p_vaddr + segment.p_memsz));
        }
        const bool hit = std::any_of(search.excluded, search.excluded + search.count,
                                     [=](uintptr_t address) { return address >= begin && address < end; });
        if (hit && search.self->range_count_ < most_ranges)
          search.self->ranges_[search.self->range_count_++] = {begin, end};
        return 0;
      },
      &search);
}

bool Preemption::interruptible(const void* program_counter) const {
  const uintptr_t where = address_of(program_counter);
  return where && std::none_of(ranges_, ranges_ + range_count_,
                               [=](const Range& range) { return where >= range.begin && where < range.end; });
}

void Preemption::on_tick(int signal, siginfo_t* info, void* raw_context) {
  Preemption& preemption = runtime().preemption();
  const void* timer = info->si_code == SI_TIMER ? info->si_value.sival_ptr : nullptr;
  if (timer == &marker) {
    preemption.looks_left_ = looks;
    preemption.tick(signal, static_cast<ucontext_t*>(raw_context));
  } else if (timer == &closer_marker) {
    preemption.tick(signal, static_cast<ucontext_t*>(raw_context));
  } else if (preemption.previous_) {
    preemption.pass_on(signal, info, raw_context);
  }
}

// setuid and its kin, on every kernel thread: libc notes in the TCB in place that it is done, and asks until it is. On a
// helper that must be the helper's own, not that of the green thread which is there. The hub has two of its thread id, the main
// thread's and the loop's, and is asked for each.
void Preemption::pass_on(int signal, siginfo_t* info, void* raw_context) {
  const uintptr_t in_place = thread_pointer();
  if (per_thread.hub) {
    asked_for_loop_ = !asked_for_loop_;
    set_thread_pointer(asked_for_loop_ ? per_thread.hub->loop_handle() : tcb::main_tcb());
  } else if (const Trip* trip = per_thread.owner ? per_thread.owner->trip : nullptr; trip && trip->helper) {
    set_thread_pointer(trip->helper->context.thread_pointer);
  }
  previous_(signal, info, raw_context);
  set_thread_pointer(in_place);
}

void Preemption::tick(int signal, ucontext_t* context) {
  Hub* hub = per_thread.hub;
  GreenThread* me = per_thread.self;
  if (!hub || !me) return;
  if (const uint64_t activity = hub->activity(); activity != activity_seen_) {
    activity_seen_ = activity;
    return;
  }
  if (hub->in_critical() || !interruptible(program_counter_of(*context))) {
    look_again();
    return;
  }
  char* const interrupted = stack_pointer_of(*context);
  const uintptr_t begin = me->slot ? address_of(me->stack_low) : main_stack_begin_;
  const uintptr_t end = me->slot ? begin + me->stack_size : main_stack_end_;
  const uintptr_t here = address_of(interrupted);
  if (here < end && here >= begin + me->guard_size + room_needed_) {
    move_signal_frame(signal, context, interrupted - red_zone, &Preemption::give_way);
  } else if (char* top = aside_for(*me)) {
    // On another stack (the program's own coroutines, an alternate signal stack) nothing is known about the room.
    move_signal_frame(signal, context, top, &Preemption::give_way_aside);
  }
}

// A stack of our own for `thread` to give way on; null where there is none. With all signals blocked.
char* Preemption::aside_for(GreenThread& thread) {
  if (thread.aside) return nullptr;  // a handler has jumped away from it
  if (free_aside_) {
    thread.aside = free_aside_;
    free_aside_ = next_aside(free_aside_);
  } else if (void* const memory = map_memory(aside_size, MAP_STACK | MAP_NORESERVE)) {
    thread.aside = static_cast<char*>(memory) + aside_size;
  }
  return thread.aside;
}

void Preemption::put_back(GreenThread& thread) {
  next_aside(thread.aside) = free_aside_;
  free_aside_ = thread.aside;
  thread.aside = nullptr;
}

void Preemption::look_again() {
  if (closer_timer_ < 0 || looks_left_ == 0) return;
  --looks_left_;
  const itimerspec soon{{0, 0}, {0, closer}};
  sys::call(SYS_timer_settime, closer_timer_, 0, &soon, nullptr);
}

namespace {

// What a thread does between being interrupted and going on, in a handler that was entered with all signals blocked.
template <class Interlude>
void between(void* raw_context, Interlude interlude) {
  const int saved_errno = errno;
  // Others run with the mask of the kernel thread, which is no thread's in particular; and it may change meanwhile.
  signals::set_kernel_mask(signals::mask_of_kernel_thread());
  interlude(*self());
  mask_in(*static_cast<ucontext_t*>(raw_context)) = signals::mask_of_kernel_thread();
  errno = saved_errno;
}

// PTHREAD_CANCEL_ASYNCHRONOUS is for threads that only compute.
bool shall_be_cancelled(const GreenThread& me) { return me.cancel_asynchronous && me.cancel_requested; }

void take_arrived(GreenThread& me) {
  signals::run_arrived(me);
  if (shall_be_cancelled(me)) [[unlikely]]
    pthread_testcancel();
}

}  // namespace

// On the stack of the thread that was interrupted.
void Preemption::give_way(int, siginfo_t*, void* raw_context) {
  between(raw_context, [](GreenThread& me) {
    me.hub->preempt();
    take_arrived(me);
  });
}

void Preemption::give_way_aside(int signal, siginfo_t*, void* raw_context) {
  between(raw_context, [](GreenThread& me) {
    me.hub->preempt();
    signals::set_kernel_mask(~uint64_t{0});  // nobody else takes this stack before it is left
  });
  GreenThread& me = *self();
  runtime().preemption().put_back(me);
  if (!signals::deliverable(me) && !shall_be_cancelled(me)) return;
  // Where the kernel would run a handler, which need not come back.
  auto* context = static_cast<ucontext_t*>(raw_context);
  move_signal_frame(signal, context, stack_pointer_of(*context) - red_zone, &Preemption::serve);
}

void Preemption::serve(int, siginfo_t*, void* raw_context) { between(raw_context, take_arrived); }

}  // namespace guv
