#pragma once

#include <vector>

#include "findings.hpp"

namespace guv::check {

/// Takes guv's own libraries out of `objects`, of which the first is the program, and those that only guv's need: what
/// they do is guv's business, and no property of the program.
void leave_out_guv(std::vector<Loaded>& objects);

}  // namespace guv::check
