#pragma once

#include <pthread.h>

/// Mutexes that are libc's own: the loader's, the timers'. libc locks them by pthread_mutex_lock, whose entry leads to guv,
/// but unlocks them inside itself and wakes who sleeps in the kernel: nobody would wake a parked thread.
namespace guv {

/// Once, at start: finds out where libc has its data.
void find_libc_data();

bool is_libc_mutex(const pthread_mutex_t* mutex);

/// One who waits does so in the kernel, on a helper; the others stand in line for that, so that thousands of threads that
/// want the loader do not take all helpers from the one who has it.
int lock_libc_mutex(pthread_mutex_t* mutex);

/// In the child of fork: nobody stands in line.
void libc_mutexes_after_fork();

}  // namespace guv
