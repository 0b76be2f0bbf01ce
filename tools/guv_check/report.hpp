#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace guv::check {

enum class Weight { note, limit, obstacle };

/// The exit status is the verdict's number.
enum class Verdict { fine = 0, limits = 1, impossible = 2 };
constexpr int usage_or_missing = 3;

/// One thing that a user should know. `id` is a word for programs and stays as it is.
struct Finding {
  Weight weight;
  std::string id;
  std::string text;
  std::vector<std::string> details;
};

struct NamedReason {
  std::string name;
  std::string reason;
};

/// One file that comes into the process, and the names it imports from libc.
struct Object {
  std::string path;
  std::vector<NamedReason> green, safe, brief, waiting, unknown;
  std::vector<std::string> plain;
};

/// All that guv-check found out.
struct Report {
  std::string asked;    // as given on the command line
  std::string program;  // the file that the kernel loads: for a script its interpreter
  std::optional<pid_t> pid;
  bool guv_inside = false;  // of a process: guv is in it already
  bool makes_threads = false;
  std::vector<Object> objects;  // the program first
  std::vector<Finding> findings;

  void add(Weight weight, std::string id, std::string text, std::vector<std::string> details = {}) {
    findings.push_back({weight, std::move(id), std::move(text), std::move(details)});
  }

  Verdict verdict() const {
    auto worst = Verdict::fine;
    for (const Finding& finding : findings) {
      if (finding.weight == Weight::obstacle) return Verdict::impossible;
      if (finding.weight == Weight::limit) worst = Verdict::limits;
    }
    return worst;
  }
};

/// The part of a path behind its last '/'.
inline std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// The report for people; `verbose` lists every name with its reason.
std::string as_text(const Report& report, bool verbose, bool colour);
/// One JSON object, as guv-check(1) describes it.
std::string as_json(const Report& report);

constexpr std::string_view word_for(Verdict verdict) {
  return verdict == Verdict::fine ? "fine" : verdict == Verdict::limits ? "limits" : "impossible";
}
constexpr std::string_view word_for(Weight weight) {
  return weight == Weight::note ? "note" : weight == Weight::limit ? "limit" : "obstacle";
}

}  // namespace guv::check
