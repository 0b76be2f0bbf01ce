#include "findings.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "names.hpp"
#include "system_calls.hpp"

namespace guv::check {
namespace {

constexpr std::uint32_t io_uring_setup = 425;

bool is_go(const Image& image) {
  constexpr std::array<std::string_view, 3> sections = {".note.go.buildid", ".gopclntab", ".go.buildinfo"};
  return std::ranges::any_of(sections, [&](std::string_view name) { return image.has_section(name); });
}

bool is_jvm(const Loaded& object) {
  return object.name.starts_with("libjvm.so") || object.name.starts_with("libjli.so");
}

bool is_gnu_openmp(const std::string& name) { return name.starts_with("libgomp.so"); }

bool is_liburing(const std::string& name) { return name.starts_with("liburing.so"); }

std::string times(std::size_t count) { return count == 1 ? "" : " (" + std::to_string(count) + " times)"; }

/// The names that the object imports from libc, each in its list.
Object names_of(const Loaded& loaded) {
  Object object;
  object.path = loaded.path;
  for (const Import& import : loaded.image.imports()) {
    // An object that was linked without libc has no versions; the table knows the names all the same.
    if (!is_from_glibc(import) && !(import.version.empty() && known_name(import).standing != Standing::plain)) continue;
    auto [standing, note] = known_name(import);
    switch (standing) {
      case Standing::green: object.green.push_back({import.name, std::move(note)}); break;
      case Standing::safe: object.safe.push_back({import.name, std::move(note)}); break;
      case Standing::brief: object.brief.push_back({import.name, std::move(note)}); break;
      case Standing::waiting: object.waiting.push_back({import.name, std::move(note)}); break;
      case Standing::unknown: object.unknown.push_back({import.name, std::move(note)}); break;
      case Standing::plain: object.plain.push_back(import.name); break;
    }
  }
  return object;
}

bool imports(const Object& object, std::string_view name) {
  const auto same = [&](const NamedReason& entry) { return entry.name == name; };
  return std::ranges::any_of(object.green, same) || std::ranges::any_of(object.brief, same);
}

/// Calls that guv would have to see: those that it takes over when they come through libc, and what makes threads or
/// waits behind its back.
bool matters(const DirectCall& call) {
  if (!call.number) return true;
  constexpr std::array<std::string_view, 8> others = {"futex",           "futex_waitv",    "clone",
                                                      "clone3",          "io_uring_setup", "io_uring_enter",
                                                      "rt_sigtimedwait", "rt_sigsuspend"};
  const std::string name = system_call_name(*call.number);
  return is_handled(name) || std::ranges::find(others, name) != others.end();
}

void add_direct_calls(Report& report, const Loaded& object) {
  // What there is to say about liburing is said already.
  if (is_libc_itself(object.name) || is_liburing(object.name)) return;
  // What it calls, by function; the harmless ones are told apart, for most libraries that do this only ask the time.
  std::array<std::map<std::string, std::map<std::string, std::size_t>>, 2> functions;
  for (const DirectCall& call : direct_system_calls(object.image)) {
    ++functions[matters(call) ? 1 : 0][call.function][call.number ? system_call_name(*call.number) : "number not told"];
  }
  for (const bool matter : {true, false}) {
    std::vector<std::string> details;
    for (const auto& [function, numbers] : functions[matter ? 1 : 0]) {
      std::string line = function + ": ";
      for (const auto& [name, count] : numbers) line += (line.ends_with(": ") ? "" : ", ") + name + times(count);
      details.push_back(line);
    }
    if (details.empty()) continue;
    report.add(
        matter ? Weight::limit : Weight::note, matter ? "direct-system-calls" : "harmless-system-calls",
        object.name + (matter ? " makes system calls of its own, past libc; where these wait, all green threads wait"
                              : " makes system calls of its own, past libc, of kinds that do not wait"),
        std::move(details));
  }
}

void add_io_uring(Report& report, const Loaded& object) {
  std::vector<std::string> signs;
  if (is_libc_itself(object.name)) return;
  if (is_liburing(object.name)) {
    signs.emplace_back("it is liburing");
  } else {
    for (const DirectCall& call : direct_system_calls(object.image)) {
      if (call.number == io_uring_setup) signs.push_back("the system call in " + call.function);
    }
    for (const std::string& function : functions_passing(object.image, io_uring_setup)) {
      signs.push_back("syscall(io_uring_setup) in " + function);
    }
  }
  if (signs.empty()) return;
  report.add(Weight::limit, "io-uring",
             object.name +
                 " can use io_uring: a thread that waits for its results holds up the "
                 "others; switch it off in the program where that is possible",
             std::move(signs));
}

bool is_of_threads(const std::string& name) {
  constexpr std::array<std::string_view, 5> families = {"pthread_", "sem_", "thrd_", "mtx_", "cnd_"};
  return std::ranges::any_of(families, [&](std::string_view family) { return name.starts_with(family); });
}

/// LD_PRELOAD comes behind the program itself in the loader's search. What its own read or closefrom calls in turn
/// comes to guv; a mutex of its own does not.
void add_own_names(Report& report, const Loaded& program) {
  std::vector<std::string> own;
  for (const std::string& name : program.image.exports()) {
    if (is_handled(name)) own.push_back(name);
  }
  if (own.empty()) return;
  const bool matter = std::ranges::any_of(own, is_of_threads);
  report.add(matter ? Weight::limit : Weight::note, "own-names",
             program.name + " defines names of libc itself; calls to these go to it and not to guv", std::move(own));
}

void add_names(Report& report, const char* id, const char* text, std::vector<NamedReason> Object::*list,
               Weight weight) {
  std::map<std::string, std::pair<std::string, std::vector<std::string>>> users;
  for (const Object& object : report.objects) {
    for (const auto& [name, reason] : object.*list) {
      users[name].first = reason;
      users[name].second.push_back(base_name(object.path));
    }
  }
  std::vector<std::string> details;
  for (const auto& [name, entry] : users) {
    std::string by;
    for (const std::string& user : entry.second) by += (by.empty() ? "" : ", ") + user;
    details.push_back(name + " (" + by + "): " + entry.first);
  }
  if (!details.empty()) report.add(weight, id, text, std::move(details));
}

/// Who makes threads of libc's.
void add_threads(Report& report) {
  std::vector<std::string> makers, native_makers;
  for (const Object& object : report.objects) {
    const std::string name = base_name(object.path);
    if (is_libc_itself(name)) continue;
    if (!imports(object, "pthread_create") && !imports(object, "thrd_create")) continue;
    (is_gnu_openmp(name) ? native_makers : makers).push_back(name);
  }
  report.makes_threads = !makers.empty();
  if (report.makes_threads) report.add(Weight::note, "threads", "threads become green that are made by", std::move(makers));
  if (!native_makers.empty()) {
    report.add(Weight::note, "native-threads", "threads stay kernel threads that are made by", std::move(native_makers));
  } else if (!report.makes_threads) {
    report.add(Weight::note, "no-threads", "neither it nor its libraries make threads: it runs as it does natively");
  }
}

void add_tls(Report& report, const std::vector<Loaded>& all) {
  constexpr std::uint64_t much = 64 << 10;
  std::uint64_t sum = 0;
  for (const Loaded& object : all) sum += object.image.tls_size();
  if (sum < much) return;
  report.add(Weight::note, "thread-local-memory",
             "each green thread carries " + std::to_string(sum >> 10) + " KiB of thread-local variables");
}

void add_loading(Report& report) {
  std::vector<std::string> who;
  for (const Object& object : report.objects) {
    if (!is_libc_itself(base_name(object.path)) && imports(object, "dlopen")) who.push_back(base_name(object.path));
  }
  if (who.empty() || report.pid) return;
  report.add(Weight::note, "loads-later",
             "more libraries can be loaded while it runs; guv-check with the number of its process sees those, too. By",
             std::move(who));
}

}  // namespace

void add_runtime(Report& report, const Loaded& program) {
  if (is_go(program.image)) {
    report.add(Weight::obstacle, "go",
               "it is written in Go, whose run-time makes its own threads and system calls, past libc");
  }
}

void add_findings(Report& report, const std::vector<Loaded>& all) {
  const Loaded& program = all.front();
  for (const Loaded& object : all) {
    if (!is_libc_itself(object.name)) report.objects.push_back(names_of(object));
  }
  add_runtime(report, program);
  if (!is_go(program.image)) add_threads(report);
  for (const Loaded& object : all) {
    if (&object != &program && is_go(object.image)) {
      report.add(Weight::limit, "go", object.name + " is written in Go; what it does blocks all green threads");
    }
  }
  if (std::ranges::any_of(all, is_jvm)) {
    report.add(
        Weight::limit, "jvm",
        "it is a Java virtual machine, which depends on what its kernel threads are (safepoints, stack guards); simple "
        "programs work, and nothing is promised");
  }
  for (const Loaded& object : all) {
    add_io_uring(report, object);
    add_direct_calls(report, object);
  }
  add_own_names(report, program);
  // Without threads there is nobody to be held up.
  const Weight weight = report.makes_threads ? Weight::limit : Weight::note;
  add_names(report, "gaps", "calls that guv does not make green and that can hold up all green threads",
            &Object::waiting, weight);
  add_names(report, "unknown-names", "names of libc that guv does not know", &Object::unknown, weight);
  add_tls(report, all);
  add_loading(report);
}

}  // namespace guv::check
