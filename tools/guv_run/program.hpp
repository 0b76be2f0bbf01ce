#pragma once

#include <optional>
#include <string>
#include <variant>

#include "refusal.hpp"

namespace guv::run {

/// Finds the file that `name` means, searching PATH as the shell does; refuses with 127 when there is none and with 126
/// when there is one that cannot be executed.
std::variant<std::string, Refusal> find_program(const std::string& name);

/// Says why LD_PRELOAD would not reach the program in the file `path`; nothing when it would. Follows `#!` to the
/// interpreter, through env(1) too, and a text file without `#!` to /bin/sh.
std::optional<Refusal> why_out_of_reach(const std::string& path);

/// Whether the file is text that the shell would run itself when the kernel does not know how (ENOEXEC).
bool is_shell_text(const std::string& path);

}  // namespace guv::run
