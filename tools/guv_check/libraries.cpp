#include "libraries.hpp"

#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <sstream>

extern char** environ;

namespace guv::check {
namespace {

bool is_trusted(const std::string& loader) {
  struct stat status;
  if (stat(loader.c_str(), &status) != 0) return false;
  return (status.st_uid == 0 || status.st_uid == geteuid()) && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/// Our environment, with the loader told to list and not to run (ld.so(8); --list gives up at a missing library), and
/// without what would change the list: preloaded libraries are not the program's.
std::vector<char*> environment() {
  static char list_only[] = "LD_TRACE_LOADED_OBJECTS=1";
  std::vector<char*> kept{list_only};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (std::strncmp(*variable, "LD_PRELOAD=", 11) != 0 && std::strncmp(*variable, "LD_AUDIT=", 9) != 0) {
      kept.push_back(*variable);
    }
  }
  kept.push_back(nullptr);
  return kept;
}

struct Said {
  int status;
  std::string text;
};

/// Standard output of a command, without its standard error.
Said output_of(std::vector<const char*> words) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {-1, ""};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  words.push_back(nullptr);
  pid_t pid;
  const int error =
      posix_spawn(&pid, words[0], &actions, nullptr, const_cast<char**>(words.data()), environment().data());
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  Said said{-1, ""};
  char buffer[4096];
  for (ssize_t got; error == 0 && (got = read(ends[0], buffer, sizeof buffer)) > 0;) {
    said.text.append(buffer, static_cast<std::size_t>(got));
  }
  close(ends[0]);
  if (error == 0) waitpid(pid, &said.status, 0);
  return said;
}

}  // namespace

Libraries libraries_of(const std::string& program, const std::string& loader) {
  Libraries libraries;
  if (!is_trusted(loader)) {
    libraries.trouble = "its loader " + loader + " may be anybody's and was not asked";
    return libraries;
  }
  // Without symbolic links, for $ORIGIN is where the file itself lies; absolute, for it must not look like an option.
  std::error_code error;
  const std::string path = std::filesystem::canonical(program, error);
  const Said said = output_of({loader.c_str(), path.c_str()});
  std::istringstream lines(said.text);
  for (std::string line; std::getline(lines, line);) {
    // "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f…)", "\t/lib64/ld-linux-x86-64.so.2 (0x…)",
    // "\tlibx.so.1 => not found", "\tlinux-vdso.so.1 (0x…)"
    line.erase(0, line.find_first_not_of('\t'));
    const auto arrow = line.find(" => ");
    const std::string name = line.substr(0, arrow == line.npos ? line.rfind(" (") : arrow);
    const std::string target = arrow == line.npos ? name : line.substr(arrow + 4);
    if (target.starts_with("not found")) {
      libraries.missing.push_back(name);
    } else if (target.starts_with('/')) {
      libraries.found.push_back(target.substr(0, target.rfind(" (0x")));
    }
  }
  if (libraries.found.empty() && said.status != 0) libraries.trouble = "its loader could not list its libraries";
  return libraries;
}

}  // namespace guv::check
