#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace guv::check {

/// What /proc tells of a running process.
struct Process {
  pid_t pid;
  std::string program;                 // the path of its program, as it is called now
  std::string readable_program;        // a path by which that file can be read even when it has been replaced
  std::vector<std::string> libraries;  // readable paths of the mapped objects that hold code, without the program
  bool secure = false;                 // AT_SECURE: the loader ignored LD_PRELOAD
  std::string guv;                     // the path of the libguv.so that is in it; empty when none is
  std::size_t kernel_threads = 0;
};

/// Nothing when there is no such process; throws std::system_error when it may not be looked at.
std::optional<Process> process_of(pid_t pid);

}  // namespace guv::check
