#pragma once

#include <string>
#include <variant>

#include "../guv_run/refusal.hpp"
#include "process.hpp"
#include "report.hpp"

namespace guv::check {

/// Judges a program before it runs; refuses when there is none of that name.
std::variant<Report, run::Refusal> check_program(const std::string& name);

/// Judges a running process, with all that it has loaded by now.
Report check_process(const std::string& asked, const Process& process);

}  // namespace guv::check
