#pragma once

namespace guv {

/// Whether this library was preloaded, so that the program shall be green from the start; else somebody links or loads
/// it and says so himself (guv_monkey_patch). A program that links it and is run with the preload is preloaded.
bool preloaded();

/// Takes this library out of LD_PRELOAD, for the programs that this one starts.
void leave_children_alone();

}  // namespace guv
