#pragma once

#include <string>

namespace guv::check {

/// What the command line of guv-check asks for.
struct Options {
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  bool help = false;
  bool version = false;
  std::string subject;  // a program or the number of a process
  std::string mistake;  // why the command line is wrong; empty when it is not
};

Options read_options(int argc, char** argv);

/// The text of --help.
std::string help_text();

}  // namespace guv::check
