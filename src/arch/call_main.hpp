#pragma once

namespace guv {

/// Calls main and gives back what it returns. The caller's stack and registers are kept whatever main does to them: the
/// main of Free Pascal's programs returns from the depth of its calls and restores the frame pointer only, which libc,
/// whose next step is exit, does not notice.
extern "C" int guv_call_main(int argc, char** argv, char** environment, int (*main)(int, char**, char**));

}  // namespace guv
