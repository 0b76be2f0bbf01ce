#pragma once

namespace guv {

/// Writes GUV_REPORT's line for the end of the process; from exit and from _exit.
void report_exit();

}  // namespace guv
