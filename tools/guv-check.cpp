// guv-check: says before the run what of a program guv makes green, what not, and why.

#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "guv_check/check.hpp"
#include "guv_check/options.hpp"
#include "guv_check/process.hpp"
#include "guv_run/refusal.hpp"

namespace guv::check {
namespace {

int refuse(const std::string& why) {
  std::fprintf(stderr, "guv-check: %s\n", why.c_str());
  return usage_or_missing;
}

/// The number of a process, when the word is one.
std::optional<pid_t> pid_of(const std::string& word) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), pid);
  if (error != std::errc{} || end != word.data() + word.size() || pid <= 0) return std::nullopt;
  return pid;
}

bool wants_colour() {
  const char* const no = std::getenv("NO_COLOR");  // no-color.org
  return isatty(STDOUT_FILENO) != 0 && (no == nullptr || *no == '\0');
}

/// `status`, if standard output takes the text.
int print(const std::string& text, int status) {
  std::fputs(text.c_str(), stdout);
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) return refuse("standard output cannot be written");
  return status;
}

int tell(const Report& report, const Options& options) {
  const int verdict = static_cast<int>(report.verdict());
  if (options.json) return print(as_json(report), verdict);
  return options.quiet ? verdict : print(as_text(report, options.verbose, wants_colour()), verdict);
}

int check(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  if (!options.mistake.empty()) return refuse(options.mistake + " (see guv-check --help)");
  if (options.help || options.version) return print(options.help ? help_text() : "guv-check " GUV_VERSION "\n", 0);
  if (const auto pid = pid_of(options.subject)) {
    const auto process = process_of(*pid);
    if (!process)
      return refuse("there is no process " + options.subject + ": a program of that name is ./" + options.subject);
    return tell(check_process(options.subject, *process), options);
  }
  const auto outcome = check_program(options.subject);
  if (const auto* refusal = std::get_if<run::Refusal>(&outcome)) return refuse(refusal->why);
  return tell(std::get<Report>(outcome), options);
}

}  // namespace
}  // namespace guv::check

int main(int argc, char** argv) {
  try {
    return guv::check::check(argc, argv);
  } catch (const std::exception& error) {
    return guv::check::refuse(error.what());
  }
}
