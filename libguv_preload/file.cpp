// Files: opening, locking, flushing to disk, fcntl(2), ioctl(2). Where there is a way to try, it is tried; the rest
// waits on a helper thread.
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "descriptor.hpp"
#include "interpose.hpp"
#include "thread_id.hpp"
#include "wait/disk.hpp"

namespace guv {

namespace {

// ---- open -------------------------------------------------------------------------------------------------------

constexpr bool has_mode(int flags) { return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE; }
mode_t mode_of(int flags, va_list more) { return has_mode(flags) ? va_arg(more, mode_t) : 0; }

/// fifo(7): opening one waits for the other side. Some devices wait for a carrier; memory (1), terminals (5, 136…) and
/// the many small ones (10) do not.
template <class GetStatus>
bool open_waits(GetStatus get_status, int flags) {
  if (flags & (O_NONBLOCK | O_PATH | O_DIRECTORY | O_EXCL)) return false;
  struct stat status;
  if (sys::failed(get_status(&status))) return false;
  if (S_ISFIFO(status.st_mode)) return (flags & O_ACCMODE) != O_RDWR;
  const unsigned device = major(status.st_rdev);
  return S_ISCHR(status.st_mode) && device != 1 && device != 5 && device != 10 && !(device >= 136 && device <= 143);
}

/// The kernel's settings wait for no disk, and must not be read on a helper: malloc asks there how to give memory back, with
/// its arena locked, and a helper that had to be made for that would need memory of that arena.
bool is_setting(const char* path) { return strncmp(path, "/proc/sys/", strlen("/proc/sys/")) == 0; }

int open_at(int directory, const char* path, int flags, mode_t mode) {
  const auto get_status = [=](struct stat* status) { return sys::call(SYS_newfstatat, directory, path, status, 0); };
  const auto attempt = [=](Mode how) -> long {
    if (how == Mode::attempt && open_waits(get_status, flags)) return -EAGAIN;
    return sys::call(SYS_openat, directory, path, flags, mode);
  };
  return newborn(on_disk_or_cancelled(attempt, At{directory, path}));
}

/// Of what openat2 would find, which need not be what others find under that name.
long status_as_found(At place, const open_how& how, struct stat* status) {
  const open_how look{(how.flags & O_NOFOLLOW) | O_PATH | O_CLOEXEC, 0, how.resolve};
  const long fd = sys::call(SYS_openat2, place.directory, place.path, &look, sizeof look);
  if (sys::failed(fd)) return fd;
  const long result = sys::call(SYS_fstat, fd, status);
  sys::call(SYS_close, fd);
  return result;
}

/// The fortified forms have no mode; libc's own end the program where one is missing.
template <class... Args>
void check_flags(const char* name, int flags, Args... args) {
  if (has_mode(flags)) next_symbol<int (*)(Args..., int)>(name)(args..., flags);
}

// ---- fcntl ------------------------------------------------------------------------------------------------------

/// Locks belong to the process or to the description, so a helper may wait for them as well as anybody.
long lock_record(int fd, int command, void* lock) {
  const int attempt = command == F_SETLKW ? F_SETLK : F_OFD_SETLK;
  return blocking(PoolWait(), [=](Mode mode) {
    const long result = sys::call(SYS_fcntl, fd, mode == Mode::native ? command : attempt, lock);
    return result == -EACCES ? -EAGAIN : result;
  });
}

long duplicate(int fd, long duplicate) {
  if (!sys::failed(duplicate)) fd_table::duplicated(fd, static_cast<int>(duplicate));
  return duplicate;
}

/// F_GETOWN's answer for a process group would be taken for an error (fcntl(2), BUGS).
long owner(int fd) {
  f_owner_ex owner{};
  const long result = sys::call(SYS_fcntl, fd, F_GETOWN_EX, &owner);
  return sys::failed(result) ? result : owner.type == F_OWNER_PGRP ? -owner.pid : owner.pid;
}

/// A thread that shall have the signals of a descriptor, by the id that the kernel knows.
long set_owner(int fd, const f_owner_ex* owner) {
  if (!owner || owner->type != F_OWNER_TID) return sys::call(SYS_fcntl, fd, F_SETOWN_EX, owner);
  const f_owner_ex known{F_OWNER_TID, kernel_id(owner->pid)};
  return sys::call(SYS_fcntl, fd, F_SETOWN_EX, &known);
}

// ---- ioctl ------------------------------------------------------------------------------------------------------

/// Requests that wait until a terminal's output has been sent.
bool drains_terminal(unsigned long request) {
  switch (request) {
    case TCSBRK:
    case TCSBRKP:
    case TCSETSW:
    case TCSETSF:
    case TCSETAW:
    case TCSETAF: return true;
    default: return false;
  }
}

/// The kernel stops a process in the background that changes its terminal (SIGTTOU), unless the calling kernel thread
/// blocks the signal, as helpers do. So the hub's asks before, by flushing a queue that there is not. Zero, or an error.
long leave_to_change(int terminal) {
  constexpr long no_queue = -1;
  const long result = sys::call(SYS_ioctl, terminal, TCFLSH, no_queue);
  return result == -EINTR || result == -EIO ? result : 0;
}

/// Requests that wait for a disk.
bool waits_for_disk(unsigned long request) {
  switch (request) {
    case BLKFLSBUF:
    case FIFREEZE:
    case FITHAW:
    case FITRIM:
    case FICLONE:
    case FICLONERANGE:
    case FIDEDUPERANGE: return true;
    default: return false;
  }
}

}  // namespace

int open_by_how(int directory, const char* path, const open_how* how, size_t size) {
  const At place{directory, path};
  const bool whole = how && size >= sizeof *how;  // else the kernel says what is wrong
  const auto get_status = [=](struct stat* status) { return status_as_found(place, *how, status); };
  const auto attempt = [=](Mode mode) -> long {
    if (mode == Mode::attempt && whole && open_waits(get_status, static_cast<int>(how->flags))) return -EAGAIN;
    return sys::call(SYS_openat2, directory, path, how, size);
  };
  return newborn(on_disk_or_cancelled(attempt, place));
}

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(int, open, (const char* path, int flags, ...)) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = mode_of(flags, more);
  va_end(more);
  return open_at(AT_FDCWD, path, flags, mode);
}

GUV_INTERPOSE_UNDECLARED(int, __open_nocancel, (const char* path, int flags, ...)) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = mode_of(flags, more);
  va_end(more);
  const WithoutCancellation scope;
  if (is_setting(path)) return newborn(sys::call(SYS_openat, AT_FDCWD, path, flags, mode), Kind::other);
  return open_at(AT_FDCWD, path, flags, mode);
}
GUV_ALSO(__open64_nocancel, __open_nocancel);

GUV_INTERPOSE(int, openat, (int directory, const char* path, int flags, ...)) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = mode_of(flags, more);
  va_end(more);
  return open_at(directory, path, flags, mode);
}

GUV_INTERPOSE_UNDECLARED(int, __open_2, (const char* path, int flags)) {
  check_flags("__open_2", flags, path);
  return open_at(AT_FDCWD, path, flags, 0);
}

GUV_INTERPOSE_UNDECLARED(int, __openat_2, (int directory, const char* path, int flags)) {
  check_flags("__openat_2", flags, directory, path);
  return open_at(directory, path, flags, 0);
}

GUV_INTERPOSE(int, creat, (const char* path, mode_t mode)) {
  return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

GUV_INTERPOSE(int, open_by_handle_at, (int mount, file_handle* handle, int flags)) {
  const auto call = [=](Mode) { return sys::call(SYS_open_by_handle_at, mount, handle, flags); };
  return newborn(on_disk_or_cancelled(call, mount));
}

// Takes the argument as libc does: a word, whatever it means to the command.
GUV_INTERPOSE(int, fcntl, (int fd, int command, ...)) {
  va_list more;
  va_start(more, command);
  void* const argument = va_arg(more, void*);
  va_end(more);
  long result;
  switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC: result = duplicate(fd, sys::call(SYS_fcntl, fd, command, argument)); break;
    case F_SETLKW:
    case F_OFD_SETLKW: result = lock_record(fd, command, argument); break;
    case F_GETOWN: {
      result = owner(fd);
      if (sys::failed(result)) break;
      return static_cast<int>(result);
    }
    case F_SETOWN_EX: result = set_owner(fd, static_cast<const f_owner_ex*>(argument)); break;
    case F_SETLEASE: {
      result = sys::call(SYS_fcntl, fd, command, argument);
      if (!sys::failed(result) && (self() || !runtime_started())) Disk::lease_taken();
      break;
    }
    case F_SETFL: {
      result = sys::call(SYS_fcntl, fd, command, argument);
      fd_table::options_changed();
      break;
    }
    default: result = sys::call(SYS_fcntl, fd, command, argument);
  }
  return static_cast<int>(sys::result(result));
}
GUV_ALSO(__libc_fcntl64, fcntl);

GUV_INTERPOSE(int, ioctl, (int fd, unsigned long request, ...)) {
  va_list more;
  va_start(more, request);
  void* const argument = va_arg(more, void*);
  va_end(more);
  const auto call = [=] { return sys::call(SYS_ioctl, fd, request, argument); };
  const bool drains = drains_terminal(request);
  long result = drains ? leave_to_change(fd) : 0;
  if (result == 0) result = drains || waits_for_disk(request) ? on_helper(call) : call();
  if (request == FIONBIO) fd_table::options_changed();
  return static_cast<int>(sys::result(result));
}

GUV_INTERPOSE(int, flock, (int fd, int operation)) {
  const auto call = [=](int flags) { return sys::call(SYS_flock, fd, operation | flags); };
  if (operation & LOCK_NB) return static_cast<int>(sys::result(call(0)));
  return static_cast<int>(
      sys::result(blocking(PoolWait(), [=](Mode mode) { return call(mode == Mode::native ? 0 : LOCK_NB); })));
}

GUV_INTERPOSE(int, fsync, (int fd)) {
  return static_cast<int>(sys::result(on_helper([=] { return sys::call(SYS_fsync, fd); })));
}

GUV_INTERPOSE(int, fdatasync, (int fd)) {
  return static_cast<int>(sys::result(on_helper([=] { return sys::call(SYS_fdatasync, fd); })));
}

GUV_INTERPOSE(int, syncfs, (int fd)) {
  return static_cast<int>(sys::result(on_helper([=] { return sys::call(SYS_syncfs, fd); })));
}

GUV_INTERPOSE(void, sync, ()) {
  on_helper([] { return sys::call(SYS_sync); });
}

GUV_INTERPOSE(int, sync_file_range, (int fd, off64_t offset, off64_t size, unsigned flags)) {
  return static_cast<int>(
      sys::result(on_helper([=] { return sys::call(SYS_sync_file_range, fd, offset, size, flags); })));
}

GUV_INTERPOSE(int, msync, (void* address, size_t size, int flags)) {
  const auto call = [=] { return sys::call(SYS_msync, address, size, flags); };
  return static_cast<int>(sys::result(flags & MS_SYNC ? on_helper(call) : at_once(call)));
}

GUV_INTERPOSE(int, tcdrain, (int fd)) {
  return guv_wrap_ioctl(fd, TCSBRK, 1);
}

// Libc's structure is not the kernel's, so libc's own function makes the call.
GUV_INTERPOSE(int, tcsetattr, (int fd, int when, const termios* settings)) {
  static const auto next = GUV_NEXT(tcsetattr);
  const auto call = [=] { return next(fd, when, settings); };
  if (when == TCSANOW) return call();
  long result = leave_to_change(fd);
  if (result == 0) result = on_helper([=]() -> long { return call() == 0 ? 0 : -errno; }, OnHandler::restart_if_asked, false);
  return static_cast<int>(sys::result(result));
}

GUV_INTERPOSE(int, dup, (int fd)) { return static_cast<int>(sys::result(duplicate(fd, sys::call(SYS_dup, fd)))); }
