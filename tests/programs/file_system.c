// What file systems answer, and what they refuse: each call as it is natively, from a thread among others.
#include "top.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <utime.h>

static char* const bad = (char*)8;
static const char* volatile nothing;
static char too_long[PATH_MAX + 2];
static char text[PATH_MAX];

static void show_status(const char* what, const struct stat* s) {
  printf("%s: mode %o links %d size %lld owner %d:%d modified %lld\n", what, (unsigned)s->st_mode, (int)s->st_nlink,
         S_ISDIR(s->st_mode) ? 0 : (long long)s->st_size, (int)s->st_uid, (int)s->st_gid,
         s->st_mtime < 1000 ? (long long)s->st_mtime : 0);
}

static void asking(int directory, int fd) {
  struct stat s;
  struct statx x;
  struct statfs f;
  struct statvfs v;
  CHECK(stat(in_top("file"), &s) == 0);
  show_status("stat", &s);
  CHECK(lstat(in_top("link"), &s) == 0);
  show_status("lstat", &s);
  CHECK(fstat(fd, &s) == 0);
  show_status("fstat", &s);
  CHECK(fstatat(directory, "link", &s, AT_SYMLINK_NOFOLLOW) == 0);
  show_status("fstatat", &s);
  CHECK(fstatat(fd, "", &s, AT_EMPTY_PATH) == 0);
  show_status("fstatat of a descriptor", &s);
  CHECK(statx(directory, "file", 0, STATX_BASIC_STATS, &x) == 0);
  printf("statx: mode %o size %lld\n", (unsigned)x.stx_mode, (long long)x.stx_size);
  SHOW(stat(in_top("none"), &s));
  SHOW(stat("", &s));
  SHOW(stat(bad, &s));
  SHOW(stat(too_long, &s));
  SHOW(stat(in_top("file/below"), &s));
  SHOW(stat(in_top("file"), (struct stat*)bad));
  SHOW(lstat(in_top("loop"), &s));
  SHOW(stat(in_top("loop"), &s));
  SHOW(fstat(-1, &s));
  SHOW(fstat(999, &s));
  SHOW(fstatat(999, "file", &s, 0));
  SHOW(fstatat(fd, "file", &s, 0));
  SHOW(fstatat(directory, "file", &s, 0x8000000));
  SHOW(statx(directory, "none", 0, STATX_ALL, &x));
  SHOW(statx(directory, "file", 0x8000000, STATX_ALL, &x));
  SHOW(statfs(top, &f));
  SHOW(statfs(in_top("none"), &f));
  SHOW(fstatfs(fd, &f));
  SHOW(fstatfs(-1, &f));
  SHOW(statvfs(top, &v));
  SHOW(statvfs(bad, &v));
  SHOW(fstatvfs(fd, &v));
  SHOW(fstatvfs(-1, &v));
  SHOW(access(in_top("file"), R_OK | W_OK));
  SHOW(access(in_top("none"), F_OK));
  SHOW(access(in_top("file"), 0x100));
  SHOW(faccessat(directory, "file", R_OK, AT_EACCESS));
  SHOW(faccessat(directory, "link", F_OK, AT_SYMLINK_NOFOLLOW));
  SHOW(faccessat(directory, "file", R_OK, 0x8000000));
  SHOW(euidaccess(in_top("file"), R_OK));
  SHOW(eaccess(in_top("none"), R_OK));
  SHOW(pathconf(top, _PC_NAME_MAX));
  SHOW(pathconf(in_top("none"), _PC_LINK_MAX));
  SHOW(fpathconf(fd, _PC_NAME_MAX));
  SHOW(readlink(in_top("link"), text, sizeof text));
  SHOW(readlink(in_top("link"), text, 2));
  SHOW(readlink(in_top("file"), text, sizeof text));
  SHOW(readlink(in_top("link"), text, 0));
  SHOW(readlinkat(directory, "link", text, sizeof text));
  SHOW(readlinkat(directory, "none", text, sizeof text));
  SHOW(realpath(in_top("link"), text) == text);
  SHOW(realpath(in_top("loop"), text) == NULL);
  puts(errno_name(errno));
  struct {
    struct file_handle head;
    unsigned char bytes[MAX_HANDLE_SZ];
  } handle = {.head = {.handle_bytes = 0}};
  int mount;
  SHOW(name_to_handle_at(directory, "none", &handle.head, &mount, 0));
  SHOW(name_to_handle_at(directory, "file", &handle.head, &mount, 0));
  SHOW(open_by_handle_at(-1, &handle.head, O_RDONLY));
}

static void changing(int directory, int fd) {
  const struct timeval micro[2] = {{10, 1}, {20, 2}}, bad_micro[2] = {{1, -1}, {1, 0}};
  const struct timespec nano[2] = {{30, 1}, {40, 2}}, bad_nano[2] = {{1, -1}, {1, 0}};
  const struct utimbuf plain = {50, 60};
  struct stat s;
  SHOW(chmod(in_top("file"), 0640));
  SHOW(chmod(in_top("none"), 0640));
  SHOW(fchmod(fd, 0600));
  SHOW(fchmod(-1, 0600));
  SHOW(fchmodat(directory, "file", 0644, 0));
  SHOW(fchmodat(directory, "link", 0644, AT_SYMLINK_NOFOLLOW));
  SHOW(fchmodat(directory, "file", 0644, 0x8000000));
  SHOW(lchmod(in_top("file"), 0604));
  SHOW(lchmod(in_top("link"), 0604));
  SHOW(chown(in_top("file"), (uid_t)-1, (gid_t)-1));
  SHOW(chown(in_top("none"), 1, 1));
  SHOW(lchown(in_top("link"), (uid_t)-1, (gid_t)-1));
  SHOW(fchown(fd, (uid_t)-1, (gid_t)-1));
  SHOW(fchown(-1, 1, 1));
  SHOW(fchownat(directory, "file", (uid_t)-1, (gid_t)-1, AT_SYMLINK_NOFOLLOW));
  SHOW(fchownat(directory, "file", 1, 1, 0x8000000));
  SHOW(utime(in_top("file"), &plain));
  CHECK(stat(in_top("file"), &s) == 0);
  show_status("after utime", &s);
  SHOW(utime(in_top("none"), NULL));
  SHOW(utimes(in_top("file"), micro));
  SHOW(utimes(in_top("file"), bad_micro));
  SHOW(lutimes(in_top("link"), micro));
  SHOW(futimes(fd, micro));
  SHOW(futimes(-1, micro));
  SHOW(futimesat(directory, "file", micro));
  SHOW(utimensat(directory, "file", nano, 0));
  SHOW(utimensat(directory, "file", bad_nano, 0));
  SHOW(utimensat(directory, nothing, nano, 0));
  SHOW(futimens(fd, nano));
  SHOW(futimens(-1, nano));
  CHECK(fstat(fd, &s) == 0);
  show_status("after futimens", &s);
  SHOW(truncate(in_top("file"), 6));
  SHOW(truncate(in_top("file"), -1));
  SHOW(truncate(top, 6));
  SHOW(ftruncate(fd, 5));
  SHOW(ftruncate(directory, 5));
  SHOW(ftruncate(-1, 5));
  SHOW(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8192));
  SHOW(fallocate(fd, 0, 0, -1));
  SHOW(fallocate(-1, 0, 0, 1));
  SHOW_ERROR(posix_fallocate(fd, 0, 8));
  SHOW_ERROR(posix_fallocate(fd, 0, -8));
  SHOW_ERROR(posix_fallocate(-1, 0, 8));
  SHOW_ERROR(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
  SHOW_ERROR(posix_fadvise(fd, 0, 0, 99));
  SHOW_ERROR(posix_fadvise(-1, 0, 0, 0));
  SHOW(readahead(fd, 0, 4096));
  SHOW(readahead(-1, 0, 4096));
  CHECK(fstat(fd, &s) == 0);
  printf("size %lld\n", (long long)s.st_size);
}

static void naming(int directory) {
  SHOW(mkdir(in_top("sub"), 0700));
  SHOW(mkdir(in_top("sub"), 0700));
  SHOW(mkdirat(directory, "sub/lower", 0700));
  SHOW(rmdir(in_top("sub")));
  SHOW(rmdir(in_top("file")));
  SHOW(rename(in_top("sub"), in_top("sub/lower/itself")));
  SHOW(rename(in_top("none"), in_top("other")));
  SHOW(rename(in_top("sub"), in_top("renamed")));
  SHOW(renameat(directory, "renamed", directory, "sub"));
  SHOW(renameat2(directory, "sub", directory, "renamed", RENAME_NOREPLACE));
  SHOW(renameat2(directory, "renamed", directory, "file", RENAME_NOREPLACE));
  SHOW(renameat2(directory, "renamed", directory, "sub", 0));
  SHOW(renameat2(directory, "sub", directory, "x", 0x1000));
  SHOW(link(in_top("file"), in_top("second")));
  SHOW(link(in_top("file"), in_top("second")));
  SHOW(link(top, in_top("third")));
  SHOW(linkat(directory, "file", directory, "third", 0));
  SHOW(linkat(directory, "file", directory, "fourth", 0x8000000));
  SHOW(symlink("file", in_top("another")));
  SHOW(symlink("", in_top("empty")));
  SHOW(symlinkat("file", directory, "another"));
  SHOW(symlinkat("file", 999, "one more"));
  SHOW(mkfifo(in_top("fifo"), 0600));
  SHOW(mkfifo(in_top("fifo"), 0600));
  SHOW(mkfifoat(directory, "fifo too", 0600));
  SHOW(mknod(in_top("node"), S_IFREG | 0600, 0));
  SHOW(mknod(in_top("node"), S_IFREG | 0600, (dev_t)1 << 40));
  SHOW(mknodat(directory, "node too", S_IFREG | 0600, 0));
  SHOW(mknod(in_top("directory"), S_IFDIR | 0600, 0));
  SHOW(unlink(in_top("second")));
  SHOW(unlink(in_top("second")));
  SHOW(unlinkat(directory, "third", 0));
  SHOW(unlinkat(directory, "sub", 0));
  SHOW(unlinkat(directory, "sub/lower", AT_REMOVEDIR));
  SHOW(unlinkat(directory, "file", 0x8000000));
  SHOW(remove(in_top("sub")));
  SHOW(remove(in_top("fifo")));
  SHOW(remove(in_top("none")));
}

static int by_name(const struct dirent** a, const struct dirent** b) { return strcmp((*a)->d_name, (*b)->d_name); }
static int visited, counted;
static pthread_t walker;
static pthread_mutex_t taken = PTHREAD_MUTEX_INITIALIZER;
static int count(const char* path, const struct stat* s, int kind) {
  (void)path, (void)s, (void)kind;
  counted++;
  return 0;
}
static void* take_for_a_while(void* turn) {
  CHECK(pthread_mutex_lock(&taken) == 0);
  let_others_run();
  CHECK(pthread_mutex_unlock(&taken) == 0);
  return turn;
}
// It is called by the thread that walks, and may wait for others and begin another walk.
static int visit(const char* path, const struct stat* s, int kind, struct FTW* where) {
  (void)s, (void)where;
  CHECK(pthread_equal(pthread_self(), walker));
  visited += 1 + (kind == FTW_F ? 100 : 0);
  if (kind == FTW_F) {
    const pthread_t other = start_thread(take_for_a_while, NULL);
    sched_yield();
    CHECK(pthread_mutex_lock(&taken) == 0 && pthread_mutex_unlock(&taken) == 0);
    join_thread(other);
    CHECK(ftw(path, count, 4) == 0);
  }
  return 0;
}
static int stop(const char* path, const struct stat* s, int kind, struct FTW* where) {
  (void)path, (void)s, (void)kind, (void)where;
  return 7;
}
static int leave(const char* path, const struct stat* s, int kind, struct FTW* where) {
  (void)path, (void)s, (void)kind, (void)where;
  pthread_exit(NULL);
}
static void* end_in_a_walk(void* path) {
  nftw(path, leave, 4, FTW_PHYS);
  return path;
}

static void reading_directories(void) {
  struct dirent** names;
  const int count = scandir(top, &names, NULL, by_name);
  for (int i = 0; i < count; i++) printf("%s%s", i ? " " : "", names[i]->d_name);
  puts("");
  SHOW(scandir(in_top("none"), &names, NULL, by_name));
  int seen = 0;
  DIR* directory = opendir(top);
  CHECK(directory);
  while (readdir(directory)) seen++;
  rewinddir(directory);
  while (readdir(directory)) seen++;
  closedir(directory);
  printf("readdir: %d\n", seen);
  SHOW(opendir(in_top("file")) == NULL);
  puts(errno_name(errno));
  walker = pthread_self();
  SHOW(nftw(top, visit, 4, FTW_PHYS));
  printf("nftw: %d, ftw: %d\n", visited, counted);
  SHOW(nftw(top, stop, 4, FTW_PHYS | FTW_CHDIR));
  SHOW(nftw(in_top("none"), stop, 4, FTW_PHYS));
  CHECK(join_thread(start_thread(end_in_a_walk, top)) == NULL);
  glob_t found;
  SHOW(glob(in_top("n*"), 0, NULL, &found));
  printf("glob: %d\n", (int)found.gl_pathc);
  globfree(&found);
  int fd = open(top, O_RDONLY | O_DIRECTORY);
  SHOW(getdents64(fd, text, sizeof text) > 0);
  SHOW(getdents64(fd, text, 1));
  SHOW(getdents64(-1, text, sizeof text));
  close(fd);
  SHOW(chdir(in_top("none")));
  SHOW(chdir(in_top("file")));
  SHOW(chdir(top));
  SHOW(access("file", R_OK));
  CHECK(getcwd(text, sizeof text));
  SHOW(strcmp(text, top));
  fd = open("/", O_RDONLY | O_DIRECTORY);
  SHOW(fchdir(fd));
  SHOW(fchdir(-1));
  close(fd);
  SHOW(chroot(in_top("none")));
}

static void attributes(int fd) {
  SHOW(setxattr(in_top("file"), "user.a", "value", 5, 0));
  SHOW(setxattr(in_top("file"), "user.a", "value", 5, XATTR_CREATE));
  SHOW(lsetxattr(in_top("file"), "user.b", "b", 1, 0));
  SHOW(fsetxattr(fd, "user.c", "c", 1, 0));
  SHOW(getxattr(in_top("file"), "user.a", text, sizeof text));
  SHOW(getxattr(in_top("file"), "user.a", text, 2));
  SHOW(lgetxattr(in_top("file"), "user.none", text, sizeof text));
  SHOW(fgetxattr(fd, "user.c", text, sizeof text));
  SHOW(listxattr(in_top("file"), text, sizeof text));
  SHOW(llistxattr(in_top("link"), text, sizeof text));
  SHOW(flistxattr(fd, NULL, 0));
  SHOW(removexattr(in_top("file"), "user.a"));
  SHOW(removexattr(in_top("file"), "user.a"));
  SHOW(lremovexattr(in_top("file"), "user.b"));
  SHOW(fremovexattr(fd, "user.c"));
  SHOW(fremovexattr(-1, "user.c"));
}

static void by_number(int directory) {
  struct stat s;
  SHOW(syscall(SYS_stat, in_top("file"), &s));
  SHOW(syscall(SYS_newfstatat, directory, "file", &s, 0));
  SHOW(syscall(SYS_access, in_top("none"), F_OK));
  SHOW(syscall(SYS_mkdir, in_top("numbered"), 0700));
  SHOW(syscall(SYS_rename, in_top("numbered"), in_top("number")));
  SHOW(syscall(SYS_rmdir, in_top("number")));
  SHOW(syscall(SYS_unlinkat, directory, "none", 0));
  SHOW(syscall(SYS_getdents64, -1, text, sizeof text));
}

static void opening(int directory) {
  struct stat s;
  int fd = open(in_top("opened"), O_CREAT | O_EXCL | O_RDWR, 0640);
  CHECK(fd >= 0 && fstat(fd, &s) == 0);
  printf("mode %o\n", (unsigned)s.st_mode);
  SHOW(write(fd, "0123456789", 10));
  SHOW(pwrite(fd, "ab", 2, 4));
  SHOW(pread(fd, text, 10, 2));
  printf("%.8s\n", text);
  SHOW(close(fd));
  SHOW(close(fd));
  SHOW(open(in_top("opened"), O_CREAT | O_EXCL | O_RDWR, 0640));
  SHOW(open(in_top("none"), O_RDONLY));
  SHOW(open(top, O_WRONLY));
  SHOW(open(in_top("link"), O_RDONLY | O_NOFOLLOW));
  SHOW(openat(directory, "opened/below", O_RDONLY));
  SHOW(openat(999, "opened", O_RDONLY));
  SHOW(open(bad, O_RDONLY));
  char made[64];
  snprintf(made, sizeof made, "%s/XXXXXX", top);
  fd = mkstemp(made);
  SHOW(fd >= 0 && close(fd) == 0 && unlink(made) == 0);
}

static volatile sig_atomic_t too_large;
static void count_too_large(int signal) { too_large += signal == SIGXFSZ; }

static void limited(int fd) {
  signal(SIGXFSZ, count_too_large);
  struct rlimit before, limit;
  CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
  limit = before;
  limit.rlim_cur = 1000;
  CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  SHOW(ftruncate(fd, 2000));
  SHOW(pwrite(fd, "x", 1, 5000));
  SHOW(fallocate(fd, 0, 0, 3000));
  SHOW_ERROR(posix_fallocate(fd, 0, 3000));
  CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
  printf("SIGXFSZ: %d\n", (int)too_large);
}

static void* everything(void* unused) {
  (void)unused;
  CHECK(mkdtemp(top));
  int fd = open(in_top("file"), O_CREAT | O_RDWR, 0644);
  CHECK(fd >= 0 && write(fd, "contents", 8) == 8);
  CHECK(symlink("file", in_top("link")) == 0 && symlink("loop", in_top("loop")) == 0);
  const struct timespec long_ago[2] = {{1, 0}, {2, 0}};
  CHECK(futimens(fd, long_ago) == 0);
  const int directory = open(top, O_RDONLY | O_DIRECTORY);
  CHECK(directory >= 0);
  asking(directory, fd);
  changing(directory, fd);
  naming(directory);
  reading_directories();
  attributes(fd);
  by_number(directory);
  opening(directory);
  limited(fd);
  close(fd);
  close(directory);
  return NULL;
}

static int remove_it(const char* path, const struct stat* s, int kind, struct FTW* where) {
  (void)s, (void)kind, (void)where;
  return remove(path);
}

int main(void) {
  memset(too_long, 'x', sizeof too_long - 1);
  umask(022);
  join_thread(start_thread(everything, NULL));
  CHECK(nftw(top, remove_it, 4, FTW_DEPTH | FTW_PHYS) == 0);
  return success();
}
