#include "program.hpp"

#include <fcntl.h>
#include <paths.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <sstream>
#include <vector>

#include "elf_file.hpp"

namespace guv::run {
namespace {

enum class Kind { program, directory, no_permission, closed, missing };

Kind kind_of(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return errno == EACCES ? Kind::closed : Kind::missing;
  if (S_ISDIR(status.st_mode)) return Kind::directory;
  const bool allowed = S_ISREG(status.st_mode) && faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
  return allowed ? Kind::program : Kind::no_permission;
}

std::vector<std::string> search_path() {
  const char* const path = getenv("PATH");
  std::stringstream list(path != nullptr ? path : _PATH_STDPATH);
  std::vector<std::string> directories;
  for (std::string directory; std::getline(list, directory, ':');) {
    // POSIX 8.3: an empty prefix means the current directory.
    directories.push_back(directory.empty() ? "." : directory);
  }
  if (path != nullptr && (*path == '\0' || std::string_view(path).ends_with(':'))) directories.emplace_back(".");
  return directories;
}

Refusal cannot_execute(const std::string& path, Kind kind) {
  if (kind == Kind::missing) return {not_found, in_quotes(path) + " does not exist: check the path"};
  if (kind == Kind::directory) return {not_executable, in_quotes(path) + " is a directory: name the program inside it"};
  if (kind == Kind::closed) {
    return {not_executable,
            in_quotes(path) + " lies in a directory that this user may not enter: chmod +x the directory"};
  }
  return {not_executable,
          in_quotes(path) + " is not executable: chmod +x it, or name its interpreter (guv-run python3 " + path + ")"};
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// Programs without PT_INTERP that LD_PRELOAD passes through all the same: ld.so (guv-run /lib64/ld-linux-x86-64.so.2
/// ./a.out) and guv-run itself, which is static and hands its environment on.
bool passes_preload_on(const std::string& path) {
  char* const real = realpath(path.c_str(), nullptr);
  const bool yes = real != nullptr && (is_glibc_loader(real) || base_name(real) == "guv-run");
  free(real);
  return yes;
}

/// What makes the kernel set AT_SECURE, upon which ld.so ignores LD_PRELOAD paths; empty when nothing does.
std::string privilege_of(const std::string& path) {
  struct stat status;
  struct statvfs mount;
  if (stat(path.c_str(), &status) != 0 || statvfs(path.c_str(), &mount) != 0) return "";
  const bool may_suid = (mount.f_flag & ST_NOSUID) == 0;
  const bool may_change_id = may_suid && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0;
  // execve(2): a set-group-ID bit without group execute marks mandatory locking, not a program.
  const bool setgid = (status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
  const uid_t uid = may_change_id && (status.st_mode & S_ISUID) != 0 ? status.st_uid : geteuid();
  const gid_t gid = may_change_id && setgid ? status.st_gid : getegid();
  if (uid != getuid()) return "set-user-ID";
  if (gid != getgid()) return "set-group-ID";
  // capabilities(7): root gains nothing by file capabilities, so its programs are not run in secure mode.
  if (may_suid && getuid() != 0 && getxattr(path.c_str(), "security.capability", nullptr, 0) > 0) {
    return "given file capabilities";
  }
  return "";
}

/// The interpreter and its one argument of a `#!` line, split as the kernel does it (fs/binfmt_script.c).
struct HashBang {
  std::string interpreter;
  std::string argument;
};

HashBang hash_bang_of(const std::string& head) {
  constexpr const char* blank = " \t";
  std::string line = head.substr(2, head.find_first_of(std::string_view("\n\0", 2), 2) - 2);
  line.erase(line.find_last_not_of(blank) + 1);
  line.erase(0, line.find_first_not_of(blank));
  const std::size_t end = line.find_first_of(blank);
  HashBang found{line.substr(0, end), ""};
  if (end != std::string::npos) found.argument = line.substr(line.find_first_not_of(blank, end));
  return found;
}

/// The program that env(1) starts for `#!/usr/bin/env argument`, empty when that cannot be told without being env.
std::string program_of_env(const std::string& argument) {
  if (!argument.starts_with('-')) return argument;
  // Only -S makes several words of the one argument that the kernel passes; quotes, variables and escapes are env's
  // business.
  const std::size_t skip = argument.starts_with("-S") ? 2 : argument.starts_with("--split-string=") ? 15 : 0;
  if (skip == 0 || argument.find_first_of("\"'$\\") != std::string::npos) return "";
  std::istringstream words(argument.substr(skip));
  for (std::string word; words >> word;) {
    if (word == "-u" || word == "-C" || word == "--unset" || word == "--chdir") {
      words >> word;
    } else if (word[0] != '-' && word.find('=') == std::string::npos) {
      return word;
    }
  }
  return "";
}

bool is_text(const std::string& head) {
  // As bash decides it: a NUL byte in the first line makes a file binary.
  const std::string first_line = head.substr(0, head.find('\n'));
  return first_line.find('\0') == std::string::npos;
}

Refusal out_of_reach(const std::string& why) { return {not_executable, why, true}; }

std::optional<Refusal> elf_out_of_reach(const std::string& path, const std::string& who, const FileHead& head) {
  if (!head.is_ours) {
    return out_of_reach(who + " is made for another machine or word size than libguv.so: use a native build of it");
  }
  if (!head.loader) {
    if (passes_preload_on(path)) return std::nullopt;
    return out_of_reach(who + " is statically linked; LD_PRELOAD cannot reach it: link it dynamically");
  }
  if (!is_glibc_loader(*head.loader)) {
    return out_of_reach(who + " asks for the loader " + in_quotes(*head.loader) +
                        ", not glibc's (is it made for musl?): use a build of it for glibc");
  }
  if (head.in_go) {
    return out_of_reach(who + " is written in Go, whose threads wait by system calls of their own: start it without guv");
  }
  if (kind_of(*head.loader) != Kind::program) {
    return Refusal{not_executable, who + " asks for the loader " + in_quotes(*head.loader) + ", which is not here"};
  }
  if (const std::string privilege = privilege_of(path); !privilege.empty()) {
    return out_of_reach(
        who + " is " + privilege +
        "; the loader ignores LD_PRELOAD for it: start it as the user it becomes, or from a plain copy");
  }
  return std::nullopt;
}

/// `binary` becomes the ELF file at the end of the chain.
std::optional<Refusal> out_of_reach_behind(const std::string& path, const std::string& who, int depth,
                                           std::string& binary);

std::optional<Refusal> script_out_of_reach(const std::string& script, const FileHead& head, int depth,
                                           std::string& binary) {
  const auto [interpreter, argument] = hash_bang_of(head.bytes);
  const auto named = [&](const std::string& path) {
    return in_quotes(script) + " is a script; its interpreter " + in_quotes(path);
  };
  if (const Kind kind = kind_of(interpreter); kind != Kind::program) {
    const char* const what = kind == Kind::missing ? " does not exist" : " is not executable";
    return Refusal{not_executable, named(interpreter) + what + ": install it, or correct the first line"};
  }
  if (auto refusal = out_of_reach_behind(interpreter, named(interpreter), depth + 1, binary)) return refusal;
  if (base_name(interpreter) != "env") return std::nullopt;
  const std::string name = program_of_env(argument);
  if (name.empty()) return std::nullopt;
  const auto found = find_program(name);
  if (const auto* refusal = std::get_if<Refusal>(&found)) {
    return Refusal{refusal->status, in_quotes(script) + " is a script run by " + refusal->why};
  }
  const auto& program = std::get<std::string>(found);
  return out_of_reach_behind(program, named(program), depth + 1, binary);
}

std::optional<Refusal> out_of_reach_behind(const std::string& path, const std::string& who, int depth,
                                           std::string& binary) {
  const auto head = read_head(path);
  if (!head) return std::nullopt;
  if (head->is_elf) {
    binary = path;
    return elf_out_of_reach(path, who, *head);
  }
  if (head->bytes.starts_with("#!")) {
    // execve(2) gives up at the same depth, with ELOOP.
    if (depth > 4) return Refusal{not_executable, who + " goes through too many interpreters"};
    return script_out_of_reach(path, *head, depth, binary);
  }
  if (is_text(head->bytes)) {
    return out_of_reach_behind(
        _PATH_BSHELL, in_quotes(path) + " is a script; its interpreter " + in_quotes(_PATH_BSHELL), depth + 1, binary);
  }
  // Anything else may have a handler (binfmt_misc); execve knows.
  return std::nullopt;
}

}  // namespace

std::variant<std::string, Refusal> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    const Kind kind = kind_of(name);
    if (kind == Kind::program) return name;
    return cannot_execute(name, kind);
  }
  std::optional<Refusal> refusal;
  for (const std::string& directory : name.empty() ? std::vector<std::string>{} : search_path()) {
    const std::string path = directory + '/' + name;
    const Kind kind = kind_of(path);
    if (kind == Kind::program) return path;
    // A later directory may have it; a directory of that name, or one that is closed to us, is no reason to complain.
    if (kind == Kind::no_permission && !refusal) refusal = cannot_execute(path, kind);
  }
  if (refusal) return *refusal;
  return Refusal{not_found, in_quotes(name) + " was not found in PATH: install it, or give its path"};
}

Reach reach_of(const std::string& path) {
  Reach reach;
  reach.refusal = out_of_reach_behind(path, in_quotes(path), 0, reach.binary);
  return reach;
}

bool is_glibc_loader(const std::string& path) { return base_name(path).starts_with("ld-linux"); }

bool is_shell_text(const std::string& path) {
  const auto head = read_head(path);
  return head && !head->is_elf && is_text(head->bytes);
}

}  // namespace guv::run
