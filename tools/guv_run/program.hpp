#pragma once

#include <optional>
#include <string>
#include <variant>

#include "refusal.hpp"

namespace guv::run {

/// Finds the file that `name` means, searching PATH as the shell does; refuses with 127 when there is none and with 126
/// when there is one that cannot be executed.
std::variant<std::string, Refusal> find_program(const std::string& name);

/// What LD_PRELOAD can do for a program.
struct Reach {
  /// Why it would not reach the program; nothing when it would.
  std::optional<Refusal> refusal;
  /// The ELF file that the kernel would load in the end; empty when that cannot be told.
  std::string binary;
};

/// Judges the program in the file `path`. Follows `#!` to the interpreter, through env(1) too, and a text file without
/// `#!` to /bin/sh.
Reach reach_of(const std::string& path);

/// Whether a loader (PT_INTERP) is that of glibc, on every machine guv may be built for.
bool is_glibc_loader(const std::string& path);

/// Whether the file is text that the shell would run itself when the kernel does not know how (ENOEXEC).
bool is_shell_text(const std::string& path);

}  // namespace guv::run
