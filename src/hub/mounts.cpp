#include "hub/mounts.hpp"

#include <fcntl.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <span>

#include "base/mapping.hpp"
#include "base/sys.hpp"

namespace guv {

namespace {

// proc(5) has them by these names; fuse also as fuse.sshfs and the like.
constexpr std::string_view far_types[] = {"9p",   "afs",     "autofs",   "beegfs", "ceph",   "cifs",   "coda",
                                          "fuse", "fuseblk", "gfs2",     "gpfs",   "lustre", "ncpfs",  "nfs",
                                          "nfs4", "ocfs2",   "orangefs", "smb3",   "smbfs",  "vboxsf", "virtiofs"};

bool is_far(std::string_view type, std::string_view path) {
  // Where systemd waits for the first caller to mount it; nothing slow is behind it.
  if (path == "/proc/sys/fs/binfmt_misc") return false;
  return std::ranges::count(far_types, type.substr(0, type.find('.'))) != 0;
}

std::string_view take_word(std::string_view& line) {
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(word.size() + 1, line.size()));
  return word;
}

dev_t parse_device(std::string_view text) {
  unsigned numbers[2] = {0, 0};
  const char* end = text.data() + text.size();
  const char* rest = std::from_chars(text.data(), end, numbers[0]).ptr;
  if (rest != end) std::from_chars(rest + 1, end, numbers[1]);
  return makedev(numbers[0], numbers[1]);
}

/// proc(5): blanks and the like are written as \040. Returns the size, or `room` if there is not enough.
size_t unescape(std::string_view text, char* to, size_t room) {
  size_t size = 0;
  for (size_t i = 0; i < text.size() && size < room; ++size) {
    int code = 0;
    if (text[i] == '\\' && i + 3 < text.size() &&
        std::from_chars(&text[i + 1], &text[i + 4], code, 8).ptr == &text[i + 4]) {
      to[size] = static_cast<char>(code);
      i += 4;
    } else {
      to[size] = text[i++];
    }
  }
  return size;
}

/// Of a path that a program gives to the kernel: the pointer may lead nowhere, for which the kernel has an error.
constexpr size_t path_start = 256;
std::string_view copy_start(const char* path, char (&to)[path_start]) {
  constexpr size_t page = 4096;
  const size_t first = std::min(sizeof to, page - reinterpret_cast<uintptr_t>(path) % page);
  const iovec here{to, sizeof to};
  const auto next_page = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(path) + first);
  const iovec there[] = {{const_cast<char*>(path), first}, {next_page, sizeof to - first}};
  const long size = sys::call(SYS_process_vm_readv, sys::call(SYS_getpid), &here, 1, there, std::size(there), 0);
  return sys::failed(size) ? std::string_view() : std::string_view(to, strnlen(to, static_cast<size_t>(size)));
}

bool is_below(std::string_view path, std::string_view mount) {
  if (mount == "/") return true;
  return path.starts_with(mount) && (path.size() == mount.size() || path[mount.size()] == '/');
}

}  // namespace

bool Mounts::some_far() {
  if (state_ == State::unknown) read("/proc/self/mountinfo");
  return state_ != State::all_near;
}

bool Mounts::far(int fd) {
  if (!some_far()) return false;
  if (state_ == State::all_far) return true;
  struct statx status;
  // From what the kernel remembers: the question itself must not wait.
  if (sys::failed(sys::call(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &status))) return false;
  return std::ranges::count(std::span(devices_, devices_count_), makedev(status.stx_dev_major, status.stx_dev_minor)) !=
         0;
}

bool Mounts::far(const char* path) { return far(At{AT_FDCWD, path}); }

bool Mounts::far(At place) {
  if (!some_far()) return false;
  if (state_ == State::all_far) return true;
  char start[path_start];
  const std::string_view path = copy_start(place.path, start);
  if (path.starts_with('/')) return far_path(path);
  return place.directory == AT_FDCWD ? directory_is_far() : far(place.directory);
}

// The longest counts, and of the same ones the last: it lies over the others.
bool Mounts::far_path(std::string_view path) const {
  size_t longest = 0;
  bool far = false;
  for (const Mount& mount : std::span(mounts_, mounts_count_)) {
    if (mount.size < longest || !is_below(path, {text_ + mount.begin, mount.size})) continue;
    longest = mount.size;
    far = mount.far;
  }
  return far;
}

bool Mounts::directory_is_far() {
  if (!directory_known_) {
    char path[1024];
    const long size = sys::call(SYS_getcwd, path, sizeof path);
    directory_far_ = !sys::failed(size) && far_path(path);
    directory_known_ = true;
  }
  return directory_far_;
}

void Mounts::read(const char* table) {
  state_ = State::all_near;
  mounts_count_ = text_used_ = devices_count_ = 0;
  directory_known_ = false;
  constexpr size_t room = 64 * 1024;
  const long fd = sys::call(SYS_openat, AT_FDCWD, table, O_RDONLY | O_CLOEXEC);
  if (sys::failed(fd)) return;
  if (void* memory = map_memory(room)) {
    char* const buffer = static_cast<char*>(memory);
    size_t held = 0;
    for (;;) {
      const long more = sys::call(SYS_read, fd, buffer + held, room - held);
      if (more <= 0) break;
      held += static_cast<size_t>(more);
      std::string_view text(buffer, held);
      for (size_t end; (end = text.find('\n')) != text.npos; text.remove_prefix(end + 1))
        take_line(text.substr(0, end));
      held = text.size();
      std::ranges::copy(text, buffer);
    }
    munmap(memory, room);
  }
  sys::call(SYS_close, fd);
}

// 36 35 98:0 /root /mount/point rw,noatime master:1 - ext3 /dev/root rw
void Mounts::take_line(std::string_view line) {
  if (state_ == State::all_far) return;
  take_word(line);
  take_word(line);
  const dev_t device = parse_device(take_word(line));
  take_word(line);
  const std::string_view escaped = take_word(line);
  const size_t separator = line.find(" - ");
  if (separator == line.npos) return;
  line.remove_prefix(separator + 3);
  char* const path = text_ + text_used_;
  const size_t size = unescape(escaped, path, text_size - text_used_);
  const bool far = is_far(take_word(line), {path, size});
  if (!far && !far_path({path, size})) return;
  if (mounts_count_ == most || devices_count_ == most || size == text_size - text_used_) {
    state_ = State::all_far;  // more than there is room for
    return;
  }
  mounts_[mounts_count_++] = {static_cast<uint16_t>(text_used_), static_cast<uint16_t>(size), far};
  text_used_ += size;
  if (!far) return;
  devices_[devices_count_++] = device;
  state_ = State::some_far;
}

}  // namespace guv
