// What has been sent and nobody has taken yet: the queues, and who waits for them (sigwait).
#include "hub/signals/rooms.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include <iterator>
#include <new>

#include "base/mapping.hpp"
#include "base/sys.hpp"
#include "hub/hub.hpp"
#include "runtime.hpp"

namespace guv::signals {

Spinlock Locked::lock;

namespace {

/// Memory for pending signals; never given back.
struct Chunk {
  Chunk* next = nullptr;
  PendingSignal nodes[500];
};

constexpr uint32_t enough = 64;

Chunk* chunks = nullptr;
List<PendingSignal> free_nodes;
rlim_t node_count = 0;
ThreadSignals for_the_process;
uint32_t taken[signal_count + 1];  // from the kernel, for the process, and not run yet
int signal_fd = -1;                // wakes threads in sigwait when the kernel has something for them
uint64_t awaited = 0;              // by any thread, ever
uint64_t for_descriptors = 0;      // what signalfds have been asked to show, ever

// Who sends faster than handlers run shall find the kernel's queue full (sigqueue's EAGAIN), and not fill our memory.
// From half of enough the kernel may send again.
void count_taken(int signal, int step) {
  taken[signal] += step;
  const bool kept = kept_back(signal);
  if (kept ? taken[signal] > enough / 2 : taken[signal] < enough) return;
  if (per_thread.hub) keep_back(signal, !kept);
}

// Also in signal handlers.
bool add_nodes() {
  void* const memory = map_memory(sizeof(Chunk));
  if (!memory) return false;
  auto* const chunk = new (memory) Chunk;
  chunk->next = chunks;
  chunks = chunk;
  node_count += std::size(chunk->nodes);
  for (auto& node : chunk->nodes) free_nodes.push_back(&node);
  return true;
}

// As many as the kernel would keep for us.
bool within_limit() {
  rlimit limit{};
  const long result = sys::call(SYS_prlimit64, 0, RLIMIT_SIGPENDING, nullptr, &limit);
  return !sys::failed(result) && node_count < limit.rlim_cur;
}

// Edge-triggered: a signal that nobody awaits any more stays readable.
void make_signal_fd() {
  const long fd = sys::call(SYS_signalfd4, -1, &awaited, sys::signal_set_size, SFD_CLOEXEC | SFD_NONBLOCK);
  if (sys::failed(fd)) return;
  signal_fd = private_fd::hide(static_cast<int>(fd));
  runtime().hub().poller().watch_own(
      signal_fd,
      [](void*) {
        runtime().hub().for_each_thread([](GreenThread& thread) {
          if (thread.signals.awaited) Hub::unpark(&thread);
        });
      },
      nullptr, EPOLLIN | EPOLLET);
}

}  // namespace

void begin_queues() { add_nodes(); }

ThreadSignals& of_process() { return for_the_process; }

// A child begins with no pending signals (fork(2)).
void queues_after_fork(GreenThread& survivor) {
  free_nodes.abandon();
  for (Chunk* chunk = chunks; chunk; chunk = chunk->next) {
    for (auto& node : chunk->nodes) {
      node.reset();
      free_nodes.push_back(&node);
    }
  }
  for (ThreadSignals* signals : {&survivor.signals, &for_the_process}) {
    signals->pending.abandon();
    signals->pending_set = 0;
  }
  memset(taken, 0, sizeof taken);
  survivor.signals.awaited = awaited = 0;
  if (signal_fd >= 0) {
    private_fd::forget(signal_fd);
    sys::call(SYS_close, signal_fd);
    signal_fd = -1;
  }
}

bool enqueue(ThreadSignals& where, const siginfo_t& info, bool for_process) {
  // Standard signals do not queue: one pending is enough (signal(7)).
  if ((where.pending_set & bit(info.si_signo)) && info.si_signo < SIGRTMIN) return true;
  // What comes from the kernel has kept to the limit there.
  if (free_nodes.empty() && ((!for_process && !within_limit()) || !add_nodes())) return false;
  PendingSignal* node = free_nodes.pop_front();
  node->info = info;
  node->for_process = for_process;
  where.pending.push_back(node);
  where.pending_set |= bit(info.si_signo);
  if (for_process) count_taken(info.si_signo, 1);
  return true;
}

bool dequeue(ThreadSignals& where, uint64_t allowed, siginfo_t* info) {
  const uint64_t candidates = where.pending_set & allowed;
  if (!candidates) return false;
  const int signal = __builtin_ctzll(candidates) + 1;
  PendingSignal* found = nullptr;
  bool more = false;
  for (PendingSignal* node = where.pending.front(); node && !more; node = where.pending.next(node)) {
    if (node->info.si_signo != signal) continue;
    more = found != nullptr;
    if (!found) found = node;
  }
  if (!more) where.pending_set &= ~bit(signal);
  if (!found) return false;
  *info = found->info;
  found->unlink();
  free_nodes.push_back(found);
  if (found->for_process) count_taken(signal, -1);
  return true;
}

void discard(ThreadSignals& where, uint64_t set) {
  siginfo_t discarded;
  while (dequeue(where, set, &discarded)) {
  }
}

void give_back(siginfo_t* info) {
  sys::call(SYS_rt_tgsigqueueinfo, sys::call(SYS_getpid), sys::call(SYS_gettid), info->si_signo, info);
}

// A signalfd shows what is pending for the kernel thread that reads it: any green thread sees it there, not only the one
// that it was sent to.
bool shown_by_descriptor(int signal) { return for_descriptors & mask_of_kernel_thread() & bit(signal); }

int keep_in_kernel(const siginfo_t& info) {
  const long process = sys::call(SYS_getpid);  // and the hub's thread
  return static_cast<int>(-sys::call(SYS_rt_tgsigqueueinfo, process, process, info.si_signo, &info));
}

void show_to_descriptors(uint64_t set) {
  for_descriptors |= set;
  if (!per_thread.hub) return;
  const Locked locked;
  runtime().hub().for_each_thread([&](GreenThread& thread) {
    siginfo_t info;
    while (dequeue(thread.signals, set & mask_of_kernel_thread(), &info)) give_back(&info);
  });
}

uint64_t pending_for_this_thread() {
  const long file = sys::call(SYS_open, "/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
  if (sys::failed(file)) return 0;
  char text[4096];
  const long size = sys::call(SYS_read, file, text, sizeof text - 1);
  sys::call(SYS_close, file);
  if (size <= 0) return 0;
  text[size] = '\0';
  const char* field = strstr(text, "SigPnd:");
  return field ? strtoull(field + strlen("SigPnd:"), nullptr, 16) : 0;
}

void take_over_pending(GreenThread& main_thread) {
  uint64_t any = 0;
  sys::call(SYS_rt_sigpending, &any, sys::signal_set_size);
  if (!any) return;
  const timespec at_once{0, 0};
  siginfo_t info;
  while (const uint64_t own = pending_for_this_thread() & any) {
    if (sys::failed(sys::call(SYS_rt_sigtimedwait, &own, &info, &at_once, sys::signal_set_size))) return;
    if (!enqueue(main_thread.signals, info, false)) return;
  }
}

int take_awaited(GreenThread& me, uint64_t set, siginfo_t* info) {
  {
    Locked locked;
    if (dequeue(me.signals, set, info) || dequeue(for_the_process, set, info)) return info->si_signo;
  }
  const timespec at_once{0, 0};
  const long signal = sys::call(SYS_rt_sigtimedwait, &set, info, &at_once, sys::signal_set_size);
  if (sys::failed(signal)) return 0;
  const auto [target, alone, gone] = addressee(*info, &me);
  if (target == &me || !alone) return static_cast<int>(signal);
  if (!gone) leave_for(target, *info, false);
  return 0;
}

void await(GreenThread& me, uint64_t set) {
  Critical critical;
  me.signals.awaited = set;
  if ((set & ~awaited) == 0) return;
  awaited |= set;
  if (signal_fd < 0) {
    make_signal_fd();
  } else {
    sys::call(SYS_signalfd4, signal_fd, &awaited, sys::signal_set_size, SFD_CLOEXEC | SFD_NONBLOCK);
  }
}

uint64_t pending(const GreenThread& me) {
  uint64_t kernel = 0;
  sys::call(SYS_rt_sigpending, &kernel, sys::signal_set_size);
  return (kernel | me.signals.pending_set | for_the_process.pending_set) & me.signals.mask;
}

PendingAsThread::PendingAsThread() : active_(self() && self()->signals.pending_set) {
  if (!active_) return;
  const Locked locked;
  siginfo_t info;
  while (dequeue(self()->signals, ~uint64_t{0}, &info)) give_back(&info);
}

PendingAsThread::~PendingAsThread() {
  if (!active_) return;
  const Locked locked;
  take_over_pending(*self());
}

}  // namespace guv::signals
