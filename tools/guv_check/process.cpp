#include "process.hpp"

#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace guv::check {
namespace {

namespace fs = std::filesystem;

constexpr const char* deleted = " (deleted)";

std::string without_deleted(std::string path) {
  if (path.ends_with(deleted)) path.erase(path.size() - std::string_view(deleted).size());
  return path;
}

bool is_secure(const fs::path& directory) {
  std::ifstream file(directory / "auxv", std::ios::binary);
  for (ElfW(auxv_t) entry; file.read(reinterpret_cast<char*>(&entry), sizeof entry);) {
    if (entry.a_type == AT_SECURE) return entry.a_un.a_val != 0;
  }
  return false;
}

/// By its range in map_files when that is open to us (root), which also serves replaced files; else through the
/// process's own root directory.
std::string readable(const fs::path& directory, const std::string& range, const std::string& path) {
  std::error_code error;
  const fs::path seen_by_it = (directory / "root").native() + without_deleted(path);
  if (!path.ends_with(deleted) && fs::exists(seen_by_it, error)) return seen_by_it;
  return directory / "map_files" / range;
}

}  // namespace

std::optional<Process> process_of(pid_t pid) {
  const fs::path directory = "/proc/" + std::to_string(pid);
  std::error_code error;
  if (!fs::exists(directory, error)) return std::nullopt;
  Process process{};
  process.pid = pid;
  process.readable_program = directory / "exe";
  const std::string program = fs::read_symlink(process.readable_program, error);
  if (error) throw std::system_error(error, "process " + std::to_string(pid) + " cannot be looked at");
  process.program = without_deleted(program);
  process.secure = is_secure(directory);
  for (const auto& task : fs::directory_iterator(directory / "task", error)) {
    process.kernel_threads += task.is_directory(error) ? 1 : 0;
  }

  std::vector<std::string> seen{program};
  std::ifstream maps(directory / "maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    std::string range, access, offset, device, inode, path;
    words >> range >> access >> offset >> device >> inode;
    std::getline(words >> std::ws, path);
    if (!path.starts_with('/') || access.find('x') == access.npos || std::ranges::find(seen, path) != seen.end())
      continue;
    seen.push_back(path);
    process.libraries.push_back(readable(directory, range, path));
    if (fs::path(path).filename().native().starts_with("libguv.so")) process.guv = without_deleted(path);
  }
  return process;
}

}  // namespace guv::check
