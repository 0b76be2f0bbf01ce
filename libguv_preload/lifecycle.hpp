#pragma once

namespace guv {

/// Reads the configuration and closes the gates that it says, unless that has been done, and returns whether it did. Called by
/// the constructor; but those of other libraries may run before it, and make threads.
bool begin();

/// Writes GUV_REPORT's line for the end of the process; from exit and from _exit.
void report_exit();

/// Ends the main thread; the process lives on until its last thread ends it.
[[noreturn]] void end_main_thread();

/// A child of fork starts initialisers again that another thread of the parent was running (pthread_once.cpp).
void once_after_fork();

}  // namespace guv
