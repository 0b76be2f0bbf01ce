#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "refusal.hpp"

namespace guv::run {

/// What the command line of guv-run asks for.
struct Options {
  /// Variables that carry the options to libguv.so, in the order given; of two for one name the later counts.
  std::vector<std::pair<std::string, std::string>> environment;
  /// What is not quite as was asked for, to be said.
  std::vector<std::string> remarks;
  bool native_if_impossible = false;
  bool verbose = false;
  bool help = false;
  bool version = false;
  /// The program and its arguments, ended by nullptr as execve(2) wants it; points into main's argv.
  char** program = nullptr;
};

/// Reads guv-run's own options and stops at the first word that is not one, so that the program's options are left
/// alone.
std::variant<Options, Refusal> read_options(char** argv);

/// The text of --help.
std::string help_text();

}  // namespace guv::run
