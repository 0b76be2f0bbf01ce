#pragma once

#include "hub/signals.hpp"
#include "runtime.hpp"

namespace guv {

/// Reads the configuration and closes the gates that it says, unless that has been done, and returns whether it did. Called by
/// the constructor; but those of other libraries may run before it, and make threads.
bool begin();

/// Writes GUV_REPORT's line for the end of the process; from exit and from _exit.
void report_exit();

/// Ends the main thread; the process lives on until its last thread ends it.
[[noreturn]] void end_main_thread();

/// Forks by `call`, of which handlers of pthread_atfork learn nothing; its result. In the child only the caller is left.
template <class Call>
long fork_by(Call call) {
  if (!self()) return call();
  signals::before_fork();
  const long pid = call();
  if (pid == 0) {
    runtime().after_fork();
  } else {
    signals::after_fork_in_parent();
  }
  return pid;
}

/// A child of fork starts initialisers again that another thread of the parent was running (pthread_once.cpp).
void once_after_fork();

}  // namespace guv
