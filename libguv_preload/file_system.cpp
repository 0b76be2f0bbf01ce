// Calls that ask a file system for something other than a file's contents: stat(2), rename(2), getdents(2), xattr(7)… None
// can be tried; a slow disk makes them helpers' work (hub/disk.hpp).
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

#include <algorithm>
#include <utility>

#include "descriptor.hpp"
#include "interpose.hpp"
#include "wait/disk.hpp"

using namespace guv;

/// A wrapper of one system call. `about` names what it asks for, in parentheses: paths, descriptors, At{directory, path}.
#define GUV_FILE_SYSTEM(returned, name, parameters, about, ...)   \
  GUV_INTERPOSE(returned, name, parameters) {                     \
    const auto call = [=] { return sys::call(__VA_ARGS__); };     \
    return static_cast<returned>(sys::result(GUV_ON_DISK about)); \
  }
/// A wrapper of libc's own function, which does more than one system call.
#define GUV_FILE_SYSTEM_OF_LIBC(name, parameters, about, ...) \
  GUV_INTERPOSE(int, name, parameters) {                      \
    static const auto next = GUV_NEXT(name);                  \
    const auto call = [=] { return next(__VA_ARGS__); };      \
    return GUV_ON_DISK about;                                 \
  }
#define GUV_ON_DISK(...) on_disk(call, __VA_ARGS__)

// ---- stat(2) ----------------------------------------------------------------------------------------------------

GUV_FILE_SYSTEM(int, stat, (const char* path, struct stat* status), (path), SYS_newfstatat, AT_FDCWD, path, status, 0)
GUV_FILE_SYSTEM(int, lstat, (const char* path, struct stat* status), (path), SYS_newfstatat, AT_FDCWD, path, status,
                AT_SYMLINK_NOFOLLOW)
GUV_FILE_SYSTEM(int, fstat, (int fd, struct stat* status), (fd), SYS_fstat, fd, status)
GUV_FILE_SYSTEM(int, fstatat, (int directory, const char* path, struct stat* status, int flags), (At{directory, path}),
                SYS_newfstatat, directory, path, status, flags)
GUV_FILE_SYSTEM_OF_LIBC(statx, (int directory, const char* path, int flags, unsigned mask, struct statx* status),
                        (At{directory, path}), directory, path, flags, mask, status)

namespace {

/// What programs made with a glibc before 2.33 call. Theirs and the kernel's structure are the same: versions 0 and 1.
constexpr bool is_known_version(int version) { return version == 0 || version == 1; }

}  // namespace

GUV_INTERPOSE_UNDECLARED(int, __xstat, (int version, const char* path, struct stat* status)) {
  return is_known_version(version) ? guv_wrap_stat(path, status) : static_cast<int>(sys::result(-EINVAL));
}
GUV_INTERPOSE_UNDECLARED(int, __lxstat, (int version, const char* path, struct stat* status)) {
  return is_known_version(version) ? guv_wrap_lstat(path, status) : static_cast<int>(sys::result(-EINVAL));
}
GUV_INTERPOSE_UNDECLARED(int, __fxstat, (int version, int fd, struct stat* status)) {
  return is_known_version(version) ? guv_wrap_fstat(fd, status) : static_cast<int>(sys::result(-EINVAL));
}
GUV_INTERPOSE_UNDECLARED(int, __fxstatat,
                         (int version, int directory, const char* path, struct stat* status, int flags)) {
  return is_known_version(version) ? guv_wrap_fstatat(directory, path, status, flags)
                                   : static_cast<int>(sys::result(-EINVAL));
}

GUV_FILE_SYSTEM(int, statfs, (const char* path, struct statfs* status), (path), SYS_statfs, path, status)
GUV_FILE_SYSTEM(int, fstatfs, (int fd, struct statfs* status), (fd), SYS_fstatfs, fd, status)

// ---- access(2), chmod(2), chown(2), utimensat(2) ------------------------------------------------------------------

GUV_FILE_SYSTEM(int, access, (const char* path, int mode), (path), SYS_access, path, mode)
GUV_FILE_SYSTEM_OF_LIBC(faccessat, (int directory, const char* path, int mode, int flags), (At{directory, path}),
                        directory, path, mode, flags)
GUV_FILE_SYSTEM(int, chmod, (const char* path, mode_t mode), (path), SYS_chmod, path, mode)
GUV_FILE_SYSTEM(int, fchmod, (int fd, mode_t mode), (fd), SYS_fchmod, fd, mode)
GUV_FILE_SYSTEM_OF_LIBC(fchmodat, (int directory, const char* path, mode_t mode, int flags), (At{directory, path}),
                        directory, path, mode, flags)
GUV_FILE_SYSTEM_OF_LIBC(lchmod, (const char* path, mode_t mode), (path), path, mode)
GUV_FILE_SYSTEM(int, chown, (const char* path, uid_t owner, gid_t group), (path), SYS_chown, path, owner, group)
GUV_FILE_SYSTEM(int, lchown, (const char* path, uid_t owner, gid_t group), (path), SYS_lchown, path, owner, group)
GUV_FILE_SYSTEM(int, fchown, (int fd, uid_t owner, gid_t group), (fd), SYS_fchown, fd, owner, group)
GUV_FILE_SYSTEM(int, fchownat, (int directory, const char* path, uid_t owner, gid_t group, int flags),
                (At{directory, path}), SYS_fchownat, directory, path, owner, group, flags)
GUV_FILE_SYSTEM_OF_LIBC(utime, (const char* path, const utimbuf* times), (path), path, times)
GUV_FILE_SYSTEM_OF_LIBC(utimes, (const char* path, const timeval times[2]), (path), path, times)
GUV_FILE_SYSTEM_OF_LIBC(lutimes, (const char* path, const timeval times[2]), (path), path, times)
GUV_FILE_SYSTEM_OF_LIBC(futimes, (int fd, const timeval times[2]), (fd), fd, times)
GUV_FILE_SYSTEM_OF_LIBC(futimesat, (int directory, const char* path, const timeval times[2]), (At{directory, path}),
                        directory, path, times)
GUV_FILE_SYSTEM_OF_LIBC(utimensat, (int directory, const char* path, const timespec times[2], int flags),
                        (At{directory, path}), directory, path, times, flags)
GUV_FILE_SYSTEM_OF_LIBC(futimens, (int fd, const timespec times[2]), (fd), fd, times)

// ---- names ------------------------------------------------------------------------------------------------------

GUV_FILE_SYSTEM(int, mkdir, (const char* path, mode_t mode), (path), SYS_mkdir, path, mode)
GUV_FILE_SYSTEM(int, mkdirat, (int directory, const char* path, mode_t mode), (At{directory, path}), SYS_mkdirat,
                directory, path, mode)
GUV_FILE_SYSTEM(int, rmdir, (const char* path), (path), SYS_rmdir, path)
GUV_FILE_SYSTEM(int, unlink, (const char* path), (path), SYS_unlink, path)
GUV_FILE_SYSTEM(int, unlinkat, (int directory, const char* path, int flags), (At{directory, path}), SYS_unlinkat,
                directory, path, flags)
GUV_FILE_SYSTEM(int, rename, (const char* from, const char* to), (from, to), SYS_rename, from, to)
GUV_FILE_SYSTEM(int, renameat, (int from_directory, const char* from, int to_directory, const char* to),
                (At{from_directory, from}, At{to_directory, to}), SYS_renameat, from_directory, from, to_directory, to)
GUV_FILE_SYSTEM_OF_LIBC(renameat2,
                        (int from_directory, const char* from, int to_directory, const char* to, unsigned flags),
                        (At{from_directory, from}, At{to_directory, to}), from_directory, from, to_directory, to, flags)
GUV_FILE_SYSTEM(int, link, (const char* from, const char* to), (from, to), SYS_link, from, to)
GUV_FILE_SYSTEM(int, linkat, (int from_directory, const char* from, int to_directory, const char* to, int flags),
                (At{from_directory, from}, At{to_directory, to}), SYS_linkat, from_directory, from, to_directory, to,
                flags)
GUV_FILE_SYSTEM(int, symlink, (const char* target, const char* path), (path), SYS_symlink, target, path)
GUV_FILE_SYSTEM(int, symlinkat, (const char* target, int directory, const char* path), (At{directory, path}),
                SYS_symlinkat, target, directory, path)
GUV_FILE_SYSTEM(ssize_t, readlink, (const char* path, char* buffer, size_t size), (path), SYS_readlink, path, buffer,
                size)
GUV_FILE_SYSTEM(ssize_t, readlinkat, (int directory, const char* path, char* buffer, size_t size),
                (At{directory, path}), SYS_readlinkat, directory, path, buffer, size)
GUV_FILE_SYSTEM(int, name_to_handle_at, (int directory, const char* path, file_handle* handle, int* mount, int flags),
                (At{directory, path}), SYS_name_to_handle_at, directory, path, handle, mount, flags)

GUV_INTERPOSE(int, mknodat, (int directory, const char* path, mode_t mode, dev_t device)) {
  // The kernel has 32 bits for it.
  const auto number = static_cast<unsigned>(device);
  if (number != device) return static_cast<int>(sys::result(-EINVAL));
  const auto call = [=] { return sys::call(SYS_mknodat, directory, path, mode, number); };
  return static_cast<int>(sys::result(on_disk(call, At{directory, path})));
}

// ---- directories ------------------------------------------------------------------------------------------------

GUV_INTERPOSE(ssize_t, getdents64, (int fd, void* buffer, size_t size)) {
  const auto call = [=] { return sys::call(SYS_getdents64, fd, buffer, std::min(size, size_t{INT_MAX})); };
  return sys::result(on_disk(call, fd));
}

namespace {

/// Another working directory, or root, from which paths start.
long moved(long result) {
  if (!sys::failed(result) && self()) runtime().disk().mounts().directory_changed();
  return sys::result(result);
}

}  // namespace

GUV_INTERPOSE(int, chdir, (const char* path)) {
  return static_cast<int>(moved(on_disk([=] { return sys::call(SYS_chdir, path); }, path)));
}
GUV_INTERPOSE(int, fchdir, (int fd)) {
  return static_cast<int>(moved(on_disk([=] { return sys::call(SYS_fchdir, fd); }, fd)));
}
GUV_INTERPOSE(int, chroot, (const char* path)) {
  return static_cast<int>(moved(on_disk([=] { return sys::call(SYS_chroot, path); }, path)));
}

// ---- trees ------------------------------------------------------------------------------------------------------

namespace {

/// ftw(3) opens directories by a function that has no name outside libc. So a walk of a slow or far file system is made on
/// a helper as a whole, and the thread comes home for each call of the program's visitor.
template <class Visitor>
struct Walker;
template <class... Arguments>
struct Walker<int (*)(Arguments...)> {
  using Visitor = int (*)(Arguments...);

  template <class Walk>
  static int walk(const char* path, Visitor given, Walk walk) {
    if (!self() || runtime().disk().answers_at_once(path)) return walk(given);
    const Visiting visiting(given);
    return runtime().offload().run([=] { return walk(&visit); });
  }

 private:
  /// libc passes nothing of ours to a visitor; and one may begin a walk of its own.
  class Visiting {
   public:
    explicit Visiting(Visitor given) : before_(std::exchange(visitor, given)) {}
    ~Visiting() {
      visitor = before_;
      runtime().disk().mounts().directory_changed();
    }
    Visiting(const Visiting&) = delete;
    Visiting& operator=(const Visiting&) = delete;

   private:
    Visitor before_;
  };

  static int visit(Arguments... arguments) {
    return runtime().offload().at_home([=] {
      runtime().disk().mounts().directory_changed();  // by FTW_CHDIR
      return visitor(arguments...);
    });
  }

  static inline thread_local Visitor visitor = nullptr;
};

}  // namespace

GUV_INTERPOSE(int, ftw, (const char* path, __ftw_func_t visitor, int most_open)) {
  static const auto next = GUV_NEXT(ftw);
  return Walker<__ftw_func_t>::walk(path, visitor, [=](__ftw_func_t visit) { return next(path, visit, most_open); });
}

GUV_INTERPOSE(int, nftw, (const char* path, __nftw_func_t visitor, int most_open, int flags)) {
  static const auto next = GUV_NEXT(nftw);
  return Walker<__nftw_func_t>::walk(path, visitor,
                                     [=](__nftw_func_t visit) { return next(path, visit, most_open, flags); });
}

// ---- sizes ------------------------------------------------------------------------------------------------------

GUV_FILE_SYSTEM(int, truncate, (const char* path, off_t size), (path), SYS_truncate, path, size)
GUV_FILE_SYSTEM(int, ftruncate, (int fd, off_t size), (fd), SYS_ftruncate, fd, size)
GUV_FILE_SYSTEM(ssize_t, readahead, (int fd, off64_t offset, size_t size), (fd), SYS_readahead, fd, offset, size)

GUV_INTERPOSE(int, fallocate, (int fd, int mode, off_t offset, off_t size)) {
  const auto call = [=](Mode) { return sys::call(SYS_fallocate, fd, mode, offset, size); };
  return static_cast<int>(sys::result(on_disk_or_cancelled(call, fd)));
}

GUV_FILE_SYSTEM_OF_LIBC(posix_fallocate, (int fd, off_t offset, off_t size), (fd), fd, offset, size)

// It returns the error and leaves errno alone.
GUV_INTERPOSE(int, posix_fadvise, (int fd, off_t offset, off_t size, int advice)) {
  const auto call = [=] { return sys::call(SYS_fadvise64, fd, offset, size, advice); };
  return static_cast<int>(-on_disk(call, fd));
}

// ---- xattr(7) ---------------------------------------------------------------------------------------------------

#define GUV_XATTR(prefix, type)                                                                                      \
  GUV_FILE_SYSTEM(ssize_t, prefix##getxattr, (type file, const char* name, void* value, size_t size), (file),        \
                  SYS_##prefix##getxattr, file, name, value, size)                                                   \
  GUV_FILE_SYSTEM(int, prefix##setxattr, (type file, const char* name, const void* value, size_t size, int flags),   \
                  (file), SYS_##prefix##setxattr, file, name, value, size, flags)                                    \
  GUV_FILE_SYSTEM(ssize_t, prefix##listxattr, (type file, char* list, size_t size), (file), SYS_##prefix##listxattr, \
                  file, list, size)                                                                                  \
  GUV_FILE_SYSTEM(int, prefix##removexattr, (type file, const char* name), (file), SYS_##prefix##removexattr, file,   \
                  name)

GUV_XATTR(, const char*)
GUV_XATTR(l, const char*)
GUV_XATTR(f, int)
