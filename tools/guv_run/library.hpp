#pragma once

#include <string>
#include <variant>

#include "refusal.hpp"

namespace guv::run {

/// Finds libguv.so: $GUV_LIBRARY when set, else beside guv-run, in its build tree, or where it was installed.
std::variant<std::string, Refusal> find_library();

/// The value for LD_PRELOAD that loads `library` first, once, and everything of `before` after it.
/// The run-time of a sanitizer keeps its place in front: it refuses to start in any other.
std::string preload_list(const std::string& library, const std::string& before);

}  // namespace guv::run
