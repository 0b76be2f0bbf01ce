#pragma once

#include <string>
#include <vector>

#include "image.hpp"
#include "report.hpp"

namespace guv::check {

/// One file that comes into the process.
struct Loaded {
  std::string path;
  std::string name;  // without the directories
  Image image;
};

/// Adds to the report what can be seen in the objects, of which the program is the first.
void add_findings(Report& report, const std::vector<Loaded>& all);

/// Adds an obstacle when the program was made with a run-time that guv cannot serve.
void add_runtime(Report& report, const Loaded& program);

}  // namespace guv::check
