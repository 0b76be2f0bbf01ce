#pragma once

namespace guv {

/// Writes GUV_REPORT's line for the end of the process; from exit and from _exit.
void report_exit();

/// A child of fork starts initialisers again that another thread of the parent was running (pthread_once.cpp).
void once_after_fork();

}  // namespace guv
