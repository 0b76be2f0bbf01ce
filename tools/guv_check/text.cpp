#include <algorithm>
#include <map>
#include <set>

#include "../guv_run/refusal.hpp"
#include "report.hpp"

namespace guv::check {
namespace {

using List = std::vector<NamedReason> Object::*;

std::string painted(const std::string& text, const char* code, bool colour) {
  return colour ? std::string("\033[") + code + 'm' + text + "\033[0m" : text;
}

const char* colour_of(Verdict verdict) {
  return verdict == Verdict::fine ? "32" : verdict == Verdict::limits ? "33" : "31";
}

const char* heading_of(Verdict verdict) {
  return verdict == Verdict::fine ? "fine" : verdict == Verdict::limits ? "works, with limits" : "will not work";
}

std::set<std::string> all_names(const Report& report, List list) {
  std::set<std::string> names;
  for (const Object& object : report.objects) {
    for (const NamedReason& entry : object.*list) names.insert(entry.name);
  }
  return names;
}

std::string count_line(const Report& report) {
  const auto count = [&](List list) { return std::to_string(all_names(report, list).size()); };
  return count(&Object::green) + " green, " + count(&Object::safe) + " need nothing, " + count(&Object::brief) +
         " may wait for a device, " + count(&Object::waiting) + " gaps, " + count(&Object::unknown) + " unknown to guv";
}

std::string findings_of(const Report& report, Weight weight, const char* mark, bool verbose) {
  constexpr std::size_t shown = 5;
  std::string text;
  for (const Finding& finding : report.findings) {
    if (finding.weight != weight) continue;
    text += std::string("  ") + mark + ' ' + finding.text + '\n';
    const auto& details = finding.details;
    for (std::size_t i = 0; i < details.size() && (verbose || i < shown); ++i) text += "      " + details[i] + '\n';
    if (!verbose && details.size() > shown) {
      text += "      and " + std::to_string(details.size() - shown) + " more (--verbose)\n";
    }
  }
  return text;
}

std::string every_name(const Report& report) {
  constexpr std::pair<List, const char*> lists[] = {{&Object::green, "green"},
                                                    {&Object::waiting, "gap"},
                                                    {&Object::unknown, "unknown"},
                                                    {&Object::brief, "device"},
                                                    {&Object::safe, "safe"}};
  std::string text;
  for (const Object& object : report.objects) {
    text += '\n' + object.path + '\n';
    for (const auto& [list, word] : lists) {
      for (const auto& [name, reason] : object.*list) {
        std::string line = std::string("  ") + word;
        line.resize(11, ' ');
        text += line + name + ": " + reason + '\n';
      }
    }
  }
  return text;
}

}  // namespace

std::string as_text(const Report& report, bool verbose, bool colour) {
  const Verdict verdict = report.verdict();
  std::string text = report.asked;
  if (report.program != report.asked && !report.program.empty()) text += " (" + report.program + ')';
  text = painted(text, "1", colour) + ": " + painted(heading_of(verdict), colour_of(verdict), colour) + '\n';
  text += findings_of(report, Weight::obstacle, "✗", verbose);
  text += findings_of(report, Weight::limit, "!", verbose);
  text += findings_of(report, Weight::note, "·", verbose);
  if (!report.objects.empty()) {
    text += "  names of libc, in the program and its " + std::to_string(report.objects.size() - 1) +
            " libraries: " + count_line(report) + '\n';
  }
  return verbose ? text + every_name(report) : text;
}

}  // namespace guv::check
