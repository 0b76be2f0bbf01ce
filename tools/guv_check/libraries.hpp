#pragma once

#include <string>
#include <vector>

namespace guv::check {

/// What comes into the process with a program.
struct Libraries {
  std::vector<std::string> found;    // paths
  std::vector<std::string> missing;  // names
  std::string trouble;               // why they could not be found out; else empty
};

/// Asks the program's own loader, which knows RPATH, RUNPATH, LD_LIBRARY_PATH and ld.so.cache. Nothing of the program
/// runs; the loader does, and is not asked when anybody but root and this user could have put it there.
Libraries libraries_of(const std::string& program, const std::string& loader);

}  // namespace guv::check
