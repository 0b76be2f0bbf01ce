#include "check.hpp"

#include <algorithm>

#include "../guv_run/elf_file.hpp"
#include "../guv_run/program.hpp"
#include "findings.hpp"
#include "image.hpp"
#include "libraries.hpp"
#include "own.hpp"

namespace guv::check {
namespace {

std::string listed(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void look_at(Report& report, const std::string& program, const std::vector<std::string>& libraries) {
  std::vector<Loaded> all;
  const auto add = [&](const std::string& path) {
    if (auto image = Image::open(path)) {
      all.push_back({path, base_name(path), std::move(*image)});
    } else {
      report.add(Weight::limit, "unreadable", path + " cannot be read and was not looked at");
    }
  };
  add(program);
  for (const std::string& library : libraries) add(library);
  leave_out_guv(all);
  if (!all.empty()) add_findings(report, all);
}

}  // namespace

std::variant<Report, run::Refusal> check_program(const std::string& name) {
  const auto found = run::find_program(name);
  if (const auto* refusal = std::get_if<run::Refusal>(&found)) return *refusal;
  const run::Reach reach = run::reach_of(std::get<std::string>(found));
  if (reach.refusal && !reach.refusal->natively) return *reach.refusal;

  Report report;
  report.asked = name;
  report.program = reach.binary;
  if (reach.refusal) report.add(Weight::obstacle, "out-of-reach", reach.refusal->why);
  if (reach.binary.empty()) {
    if (!reach.refusal) report.add(Weight::limit, "unreadable", "what it is cannot be told: it cannot be read");
    return report;
  }
  if (reach.binary != std::get<std::string>(found)) {
    report.add(
        Weight::note, "script",
        "a script; its interpreter " + reach.binary + " is judged, not the modules and programs that the script uses");
  }
  const auto head = run::read_head(reach.binary);
  if (!head || !head->is_ours) return report;
  if (!head->loader || !run::is_glibc_loader(*head->loader)) {
    // Nothing that is said about the names it imports would be true of guv; a run-time it was made with still tells
    // why.
    if (const auto image = Image::open(reach.binary))
      add_runtime(report, {reach.binary, base_name(reach.binary), *image});
    return report;
  }
  const Libraries libraries = libraries_of(reach.binary, *head->loader);
  if (!libraries.trouble.empty()) report.add(Weight::limit, "libraries-unknown", libraries.trouble);
  if (!libraries.missing.empty()) {
    report.add(Weight::obstacle, "missing-library",
               "libraries that it needs are not here, so that it does not start natively either: " +
                   listed(libraries.missing));
  }
  look_at(report, reach.binary, libraries.found);
  return report;
}

Report check_process(const std::string& asked, const Process& process) {
  Report report;
  report.asked = asked;
  report.program = process.program;
  report.pid = process.pid;
  report.guv_inside = !process.guv.empty();
  const auto head = run::read_head(process.readable_program);
  if (report.guv_inside) {
    report.add(Weight::note, "guv-inside", "guv is in it already: " + process.guv);
  } else if (process.secure) {
    report.add(
        Weight::obstacle, "out-of-reach",
        "it gained privileges when it started (set-user-ID or capabilities); the loader ignored LD_PRELOAD for it");
  } else if (head && !head->is_ours) {
    report.add(Weight::obstacle, "out-of-reach", "it is made for another machine or word size than libguv.so");
  } else if (head && !head->loader) {
    report.add(Weight::obstacle, "out-of-reach", "it is statically linked; LD_PRELOAD cannot reach it");
  } else if (head && !run::is_glibc_loader(*head->loader)) {
    report.add(Weight::obstacle, "out-of-reach", "its loader " + *head->loader + " is not glibc's");
  } else {
    report.add(Weight::note, "restart", "guv is not in it: a process takes it up only at its start, by guv-run");
  }
  report.add(Weight::note, "kernel-threads",
             "it has " + std::to_string(process.kernel_threads) + " kernel threads now");
  look_at(report, process.readable_program, process.libraries);
  if (!report.objects.empty()) report.objects[0].path = process.program;
  return report;
}

}  // namespace guv::check
