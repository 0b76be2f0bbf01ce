#pragma once

#include <optional>
#include <string>

namespace guv::run {

/// The beginning of a file: what the kernel looks at to decide how to start it.
struct FileHead {
  /// Up to 256 bytes, as many as the kernel reads (BINPRM_BUF_SIZE).
  std::string bytes;
  bool is_elf = false;
  /// Class, byte order and machine are those guv-run was built for.
  bool is_ours = false;
  /// The dynamic loader the program asks for (PT_INTERP); nothing when it is static, as static-pie is too.
  std::optional<std::string> loader;
  bool in_go = false;
};

/// Reads the beginning of `path`; nothing when it cannot be read (a program may be executable without being readable).
std::optional<FileHead> read_head(const std::string& path);

}  // namespace guv::run
