#include "options.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>

namespace guv::run {
namespace {

using Complaint = std::optional<std::string>;

enum class Value { none, optional, required };

/// One row of the command line; --help is printed from the same rows.
struct Option {
  std::string_view name;
  Value value;
  std::string_view metavar;
  std::string_view help;
  Complaint (*apply)(Options& options, const std::string& value);
};

constexpr std::array<std::string_view, 10> families = {"time", "io",      "socket", "select", "thread",
                                                       "dns",  "process", "file",   "signal", "sync"};

void pass_on(Options& options, const char* name, const std::string& value) {
  options.environment.emplace_back(name, value);
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> words;
  std::size_t from = 0;
  for (;;) {
    const std::size_t comma = list.find(',', from);
    words.push_back(list.substr(from, comma - from));
    if (comma == std::string::npos) return words;
    from = comma + 1;
  }
}

std::optional<std::uint64_t> bytes_of(const std::string& text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || rest == text.data()) return std::nullopt;
  std::uint64_t unit = 1;
  if (rest != end) {
    if (rest + 1 != end) return std::nullopt;
    switch (*rest) {
      case 'k':
      case 'K': unit = std::uint64_t{1} << 10; break;
      case 'm':
      case 'M': unit = std::uint64_t{1} << 20; break;
      case 'g':
      case 'G': unit = std::uint64_t{1} << 30; break;
      default: return std::nullopt;
    }
  }
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(number, unit, &bytes)) return std::nullopt;
  return bytes;
}

Complaint stack_size(Options& options, const std::string& value) {
  const auto bytes = bytes_of(value);
  if (!bytes) return "is not a size: give bytes, or a number with K, M or G";
  // pthread_attr_setstacksize(3): the least size a thread may ask for.
  if (*bytes < 16384) return "is too small: the least is 16K";
  if (*bytes > std::uint64_t{1} << 46) return "is too large: the most is 65536G, half of the address space";
  pass_on(options, "GUV_STACK_SIZE", std::to_string(*bytes));
  return std::nullopt;
}

/// The list becomes a plain one here ("-dns" is every family but dns), so that the library need not know the notation.
Complaint family_list(Options& options, const std::string& value) {
  std::array<bool, families.size()> chosen{};
  bool& sync = chosen.back();  // the last family
  bool first = true, without_sync = false;
  for (std::string word : split(value)) {
    const bool take_away = word.starts_with('-');
    if (take_away) word.erase(0, 1);
    if (take_away && first) chosen.fill(true);
    first = false;
    if (!take_away && word == "all") {
      chosen.fill(true);
    } else if (!take_away && word == "none") {
      chosen.fill(false);
    } else if (const auto* found = std::ranges::find(families, word); found != families.end()) {
      chosen[static_cast<std::size_t>(found - families.begin())] = !take_away;
      without_sync |= take_away && word == "sync";
    } else {
      std::string complaint = "names no family " + in_quotes(word) + ": the families are";
      for (const auto family : families) complaint += ' ' + std::string(family);
      return complaint + ", and all, none, -NAME";
    }
  }
  if (without_sync && !sync && std::ranges::count(chosen, true) > 0) {
    sync = true;
    options.remarks.push_back("--families=" + value + ": sync stays on, for each of the other families needs it");
  }
  std::string list;
  for (std::size_t i = 0; i < families.size(); ++i) {
    if (chosen[i]) list += (list.empty() ? "" : ",") + std::string(families[i]);
  }
  if (std::ranges::all_of(chosen, [](bool on) { return on; })) list = "all";
  pass_on(options, "GUV_FAMILIES", list.empty() ? "none" : list);
  return std::nullopt;
}

Complaint native_threads(Options& options, const std::string& value) {
  const auto words = split(value);
  if (std::ranges::any_of(words, [](const std::string& word) { return word.empty(); })) {
    return "has an empty name: give library names separated by commas, such as libjvm.so,libtbb.so";
  }
  pass_on(options, "GUV_NATIVE_THREADS", value);
  return std::nullopt;
}

Complaint report(Options& options, const std::string& value) {
  if (value.empty() || value == "-") {
    pass_on(options, "GUV_REPORT", "-");
    return std::nullopt;
  }
  // Absolute, because the program may change its directory before the report is written.
  std::error_code error;
  const auto path = std::filesystem::absolute(value, error);
  if (error) return "cannot be written: " + error.message();
  const auto directory = path.parent_path();
  if (std::filesystem::is_directory(path, error)) return "is a directory: give the name of a file";
  const bool exists = std::filesystem::exists(path, error);
  const std::string& needed = exists ? path.native() : directory.native();
  if (faccessat(AT_FDCWD, needed.c_str(), W_OK, AT_EACCESS) != 0) {
    return "cannot be written: " + std::error_code(errno, std::generic_category()).message();
  }
  pass_on(options, "GUV_REPORT", path.native());
  return std::nullopt;
}

Complaint children(Options& options, const std::string& value) {
  if (value != "yes" && value != "no") return "is neither yes nor no";
  pass_on(options, "GUV_CHILDREN", value);
  return std::nullopt;
}

Complaint files(Options& options, const std::string& value) {
  if (value != "auto" && value != "hub" && value != "helpers") return "is none of auto, hub and helpers";
  pass_on(options, "GUV_FILES", value);
  return std::nullopt;
}

const Option table[] = {
    {"stack-size", Value::required, "SIZE",
     "default stack size of threads: bytes, or with K, M, G\n(default: the soft limit of ulimit -s)", stack_size},
    {"families", Value::required, "LIST",
     "families of calls made green: all (default), none, or from\n"
     "time,io,socket,select,thread,dns,process,file,signal,sync;\n-NAME leaves one out: --families=-dns,-file",
     family_list},
    {"no-dns", Value::none, "", "leave name resolution blocking",
     [](Options& options, const std::string&) -> Complaint {
       pass_on(options, "GUV_NO_GREENDNS", "1");
       return std::nullopt;
     }},
    {"no-patch-libc", Value::none, "", "replace symbols only; leave the code of libc as it is",
     [](Options& options, const std::string&) -> Complaint {
       pass_on(options, "GUV_PATCH_LIBC", "0");
       return std::nullopt;
     }},
    {"no-preempt", Value::none, "", "let a thread that makes no calls run on, whoever waits",
     [](Options& options, const std::string&) -> Complaint {
       pass_on(options, "GUV_PREEMPT", "0");
       return std::nullopt;
     }},
    {"files", Value::required, "WHERE",
     "where calls that may wait for a disk are made: on the hub while\ndisks are quick (auto, the default), hub, or "
     "helpers",
     files},
    {"native-threads", Value::required, "LIB,...", "threads created by these libraries stay kernel threads",
     native_threads},
    {"children", Value::required, "yes|no", "whether programs that it starts run under guv too (default: yes)",
     children},
    {"report", Value::optional, "FILE", "append counts, one JSON object a line, to FILE\n(default: to standard error)",
     report},
    {"verbose", Value::none, "", "say what guv does",
     [](Options& options, const std::string&) -> Complaint {
       options.verbose = true;
       pass_on(options, "GUV_VERBOSE", "1");
       return std::nullopt;
     }},
    {"native-if-impossible", Value::none, "", "where guv cannot work, warn and start the program without it",
     [](Options& options, const std::string&) -> Complaint {
       options.native_if_impossible = true;
       return std::nullopt;
     }},
    {"help", Value::none, "", "print this and exit",
     [](Options& options, const std::string&) -> Complaint {
       options.help = true;
       return std::nullopt;
     }},
    {"version", Value::none, "", "print the version and exit",
     [](Options& options, const std::string&) -> Complaint {
       options.version = true;
       return std::nullopt;
     }},
};

Refusal misused(const std::string& what) { return {bad_usage, what + " (see guv-run --help)"}; }

}  // namespace

std::variant<Options, Refusal> read_options(char** argv) {
  Options options;
  char** word = argv + 1;
  for (; *word != nullptr; ++word) {
    const std::string text = *word;
    if (text == "--") {
      ++word;
      break;
    }
    if (text.size() < 2 || text[0] != '-') break;
    const std::size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    const Option* const option =
        std::ranges::find_if(table, [&](const Option& row) { return "--" + std::string(row.name) == name; });
    if (option == std::end(table)) return misused("unknown option " + in_quotes(name));
    std::string value;
    if (equals != std::string::npos) {
      if (option->value == Value::none) return misused("option " + in_quotes(name) + " takes no value");
      value = text.substr(equals + 1);
      if (value.empty()) return misused("option " + in_quotes(name) + " has an empty value");
    } else if (option->value == Value::required) {
      if (word[1] == nullptr) return misused("option " + in_quotes(name) + " needs a value");
      value = *++word;
    }
    if (const auto complaint = option->apply(options, value)) {
      return misused("option " + in_quotes(name) + ": " + in_quotes(value) + ' ' + *complaint);
    }
    // As GNU programs do it: what follows is not looked at, not even for mistakes.
    if (options.help || options.version) return options;
  }
  if (*word == nullptr) return misused("no program given");
  options.program = word;
  return options;
}

std::string help_text() {
  std::string text =
      "Usage: guv-run [options] [--] program [arguments]\n"
      "Runs an unmodified program with its threads turned into green threads (LD_PRELOAD=libguv.so).\n\n";
  constexpr std::size_t column = 28;
  for (const Option& option : table) {
    std::string left = "  --" + std::string(option.name);
    if (option.value == Value::required) left += '=' + std::string(option.metavar);
    if (option.value == Value::optional) left += "[=" + std::string(option.metavar) + ']';
    left.resize(std::max(left.size() + 1, column), ' ');
    text += left;
    for (const char letter : option.help) {
      text += letter;
      if (letter == '\n') text.append(column, ' ');
    }
    text += '\n';
  }
  return text +
         "\nExit status: that of the program; 127 when it was not found; 126 when it cannot be started or guv cannot\n"
         "reach it; 2 when guv-run was used wrongly or libguv.so was not found. More in guv-run(1) and libguv(7).\n";
}

}  // namespace guv::run
