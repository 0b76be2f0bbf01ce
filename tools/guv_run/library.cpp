#include "library.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include "elf_file.hpp"

namespace guv::run {
namespace {

namespace fs = std::filesystem;

// ld.so(8): the list is separated by spaces or colons, and there is no way to escape them.
constexpr const char* separators = " :";

std::variant<std::string, Refusal> usable(const fs::path& library) {
  const auto head = read_head(library.native());
  if (!head) {
    const std::string why = std::error_code(errno, std::generic_category()).message();
    return Refusal{bad_usage, in_quotes(library.native()) + " cannot be read: " + why};
  }
  if (!head->is_ours) {
    return Refusal{bad_usage,
                   in_quotes(library.native()) + " is not a shared library for this machine: correct GUV_LIBRARY"};
  }
  if (library.native().find_first_of(separators) != std::string::npos) {
    return Refusal{bad_usage, in_quotes(library.native()) +
                                  " cannot be preloaded: LD_PRELOAD takes no path with a space "
                                  "or a colon; install it elsewhere or set GUV_LIBRARY"};
  }
  return library.native();
}

bool is_guv(const std::string& entry) {
  const std::string name = fs::path(entry).filename();
  return name == "libguv.so" || name.starts_with("libguv.so.");
}

bool is_sanitizer(const std::string& entry) {
  const std::string name = fs::path(entry).filename();
  return name.starts_with("libasan.so") || name.starts_with("libtsan.so") || name.starts_with("libclang_rt.");
}

}  // namespace

std::variant<std::string, Refusal> find_library() {
  std::error_code error;
  if (const char* const given = getenv("GUV_LIBRARY"); given != nullptr && *given != '\0') {
    // Absolute, because the program may change its directory before it starts others.
    const fs::path library = fs::absolute(given, error).lexically_normal();
    if (!fs::exists(library, error)) {
      return Refusal{bad_usage, "GUV_LIBRARY is " + in_quotes(given) + ", which does not exist: correct or unset it",
                     true};
    }
    return usable(library);
  }
  std::vector<fs::path> directories;
  if (const fs::path self = fs::read_symlink("/proc/self/exe", error); !error) {
    const fs::path here = self.parent_path();
    for (const char* relative : {".", "../libguv_preload", "../lib", "../lib/" GUV_MULTIARCH, "../lib64"}) {
      directories.push_back((here / relative / "").lexically_normal());
    }
  }
  directories.emplace_back(GUV_LIBDIR "/");
  std::string looked;
  for (const fs::path& directory : directories) {
    if (fs::exists(directory / "libguv.so", error)) return usable(directory / "libguv.so");
    looked += (looked.empty() ? "" : ", ") + directory.native();
  }
  return Refusal{bad_usage, "libguv.so was not found in " + looked + ": install it, or set GUV_LIBRARY to its path",
                 true};
}

std::string preload_list(const std::string& library, const std::string& before) {
  std::string sanitizers;
  std::string others;
  for (std::size_t from = before.find_first_not_of(separators); from != std::string::npos;) {
    const std::size_t end = before.find_first_of(separators, from);
    const std::string entry = before.substr(from, end - from);
    if (is_sanitizer(entry)) {
      sanitizers += entry + ':';
    } else if (entry != library && !is_guv(entry)) {
      others += ':' + entry;
    }
    from = before.find_first_not_of(separators, end);
  }
  return sanitizers + library + others;
}

}  // namespace guv::run
