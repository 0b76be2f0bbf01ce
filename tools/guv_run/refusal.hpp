#pragma once

#include <string>

namespace guv::run {

/// Why guv-run does not start a program: the sentence for the user and the exit status that goes with it.
struct Refusal {
  int status;
  std::string why;
  /// The program would start without guv: --native-if-impossible turns this refusal into a warning.
  bool natively = false;
};

/// The exit statuses a shell gives, which scripts and container runtimes know.
constexpr int bad_usage = 2;
constexpr int not_executable = 126;
constexpr int not_found = 127;

/// The text between quotes, control characters escaped: a message stays one line whatever a file is called.
inline std::string in_quotes(const std::string& text) {
  std::string quoted = "'";
  for (const char letter : text) {
    if (letter == '\n') {
      quoted += "\\n";
    } else if (letter == '\r') {
      quoted += "\\r";
    } else {
      quoted += static_cast<unsigned char>(letter) < ' ' ? '?' : letter;
    }
  }
  return quoted + "'";
}

}  // namespace guv::run
