#pragma once

#include "hub/green_thread.hpp"

namespace guv {

/// What glibc's start_thread does between the first and the last instruction of a thread: calls its function inside the
/// frame where pthread_exit and cancellation end, then runs destructors and gives up robust mutexes.
void run_thread_body(GreenThread& me);

/// Calls `body(argument)` such that pthread_exit and cancellation, however deep, end here; false if they did. Either way
/// the next pthread_exit ends where it would have before.
bool run_until_exit(void (*body)(void*), void* argument);

/// Thread-specific data: values live in the TCB, as glibc has them; destructors are kept here to be run for green threads.
namespace keys {

void created(pthread_key_t key, void (*destructor)(void*));
void deleted(pthread_key_t key);
void run_destructors();

}  // namespace keys

}  // namespace guv
