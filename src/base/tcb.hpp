#pragma once

#include <pthread.h>

#include <cstddef>
#include <cstdint>

/// glibc thread control blocks ("struct pthread") for green threads.
///
/// Each green thread owns a real one, at the top of its stack, so that errno, __thread, pthread_self, keys, locale, stdio
/// and mutex ownership are glibc's own. Nothing about glibc's layout is written down here: it is found at start by
/// looking at a probe thread (see docs/decisions/02-tcb.md and the checks in discover()).
namespace guv::tcb {

/// Learns the layout by running two short kernel threads; false (and a reason) when this libc is not understood.
/// Must run on the process's main thread.
bool discover(const char** why_not);

/// Bytes of static TLS and TCB at the top of a stack.
size_t static_size();

/// Builds a TCB whose end is at most `top`, in zeroed memory; returns its address (the pthread_t), or 0 without memory.
/// `stack_low` and `stack_size` are what glibc shall believe to be the thread's stack.
uintptr_t build(uintptr_t top, uintptr_t stack_low, size_t stack_size);

/// Makes a TCB that `build` made ready for a new thread: fresh TLS, no thread-specific data, errno 0. What libc itself
/// caches per thread (malloc's tcache, the resolver's state) stays.
void recycle(uintptr_t tcb);

/// The highest address usable for frames under `tcb`.
uintptr_t stack_top_below(uintptr_t tcb);

/// A thread id that no kernel thread has, with neither futex flag bit set.
int new_tid();

/// Where the thread id is in a TCB, of whatever thread; found at start.
extern ptrdiff_t tid_offset;

inline int tid_of(uintptr_t tcb) { return *reinterpret_cast<const int*>(tcb + static_cast<uintptr_t>(tid_offset)); }
void set_tid(uintptr_t tcb, int tid);

/// What a new thread does first and last on its own TCB, as start_thread does.
void on_thread_start(uintptr_t tcb);
void run_thread_local_destructors();

/// Gives up robust mutexes still held: marks them OWNER_DIED and calls `wake(mutex_address)` for each.
void release_robust_mutexes(uintptr_t tcb, void (*wake)(void* futex_word));

/// After fork(2): new TCBs are linked beside the surviving thread's.
void after_fork(uintptr_t survivor);

/// pthread_t of the thread that the process began with (or of fork's survivor).
uintptr_t main_tcb();

}  // namespace guv::tcb
