// guv-run: starts an unmodified program with libguv.so preloaded. It only prepares the environment and then becomes the
// program by execve(2), so PID, signals, descriptors and exit status are the program's own.

#include <paths.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <string>
#include <system_error>
#include <vector>

#include "guv_run/library.hpp"
#include "guv_run/options.hpp"
#include "guv_run/program.hpp"

namespace guv::run {
namespace {

/// One write, so that lines of several guv-run do not mix.
bool print(int fd, const std::string& text) {
  return write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// If it fails there is nobody to tell.
void say(const std::string& line) { print(STDERR_FILENO, "guv-run: " + line + '\n'); }

int refuse(const Refusal& refusal) {
  say(refusal.why + (refusal.natively ? ", or use --native-if-impossible" : ""));
  return refusal.status;
}

std::string env_or_empty(const char* name) {
  const char* const value = getenv(name);
  return value != nullptr ? value : "";
}

/// Becomes the program; returns the exit status when that fails.
int become(const std::string& path, char** argv) {
  execv(path.c_str(), argv);
  if (errno == ENOEXEC && is_shell_text(path)) {
    // As execvp(3): the kernel knows no interpreter, so the shell is the one.
    std::vector<char*> words{const_cast<char*>(_PATH_BSHELL), const_cast<char*>(path.c_str())};
    for (char** word = argv + 1; *word != nullptr; ++word) words.push_back(*word);
    words.push_back(nullptr);
    execv(_PATH_BSHELL, words.data());
  }
  const int error = errno;
  say(in_quotes(path) + " cannot be started: " + std::error_code(error, std::generic_category()).message());
  return error == ENOENT ? not_found : not_executable;
}

int run(char** argv) {
  const auto read = read_options(argv);
  if (const auto* refusal = std::get_if<Refusal>(&read)) return refuse(*refusal);
  const auto& options = std::get<Options>(read);
  if (options.help || options.version) {
    const bool printed = print(STDOUT_FILENO, options.help ? help_text() : "guv-run " GUV_VERSION "\n");
    return printed ? 0 : refuse({bad_usage, "standard output cannot be written"});
  }

  const auto found = find_program(options.program[0]);
  if (const auto* refusal = std::get_if<Refusal>(&found)) return refuse(*refusal);
  const auto& path = std::get<std::string>(found);

  auto obstacle = reach_of(path).refusal;
  const auto library = find_library();
  if (const auto* missing = std::get_if<Refusal>(&library); missing != nullptr && !obstacle) obstacle = *missing;
  if (obstacle) {
    if (!obstacle->natively || !options.native_if_impossible) return refuse(*obstacle);
    say("warning: started without guv: " + obstacle->why);
    return become(path, options.program);
  }

  for (const auto& remark : options.remarks) say(remark);
  for (const auto& [name, value] : options.environment) setenv(name.c_str(), value.c_str(), 1);
  const auto& chosen = std::get<std::string>(library);
  setenv("LD_PRELOAD", preload_list(chosen, env_or_empty("LD_PRELOAD")).c_str(), 1);
  if (options.verbose) say("preloading " + chosen + " into " + path);
  return become(path, options.program);
}

}  // namespace
}  // namespace guv::run

int main(int, char** argv) {
  try {
    return guv::run::run(argv);
  } catch (const std::exception& error) {
    guv::run::say(std::string("cannot start: ") + error.what());
    return guv::run::not_executable;
  }
}
