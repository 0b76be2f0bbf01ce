// What asks a file system, by every name there is.
#include "by_name.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/statfs.h>

static char path[64];
int xstat(int, const char*, struct stat*);
int fxstat(int, int, struct stat*);
int fxstatat(int, int, const char*, struct stat*, int);

static void by_path(const char* name, int (*function)(const char*, struct stat*)) {
  struct stat s = {.st_size = -1};
  printf("%s: %d, size %lld", name, function(path, &s), (long long)s.st_size);
  printf("; %d %s\n", function("/none", &s), errno_name(errno));
}
static void by_version(const char* name, int (*function)(int, const char*, struct stat*)) {
  struct stat s = {.st_size = -1};
  printf("%s: %d, size %lld", name, function(1, path, &s), (long long)s.st_size);
  printf("; %d %s\n", function(99, path, &s), errno_name(errno));
}
static void by_descriptor(const char* name, int fd, int (*function)(int, struct stat*)) {
  struct stat s = {.st_size = -1};
  printf("%s: %d, size %lld", name, function(fd, &s), (long long)s.st_size);
  printf("; %d %s\n", function(-1, &s), errno_name(errno));
}

static int found(const char* name, const struct stat* s, int kind) { return kind == FTW_F && s && !strcmp(name, path); }
static int found_too(const char* name, const struct stat* s, int kind, struct FTW* where) {
  return found(name, s, kind) + (where->level == 0);
}

static void* ask(void* unused) {
  (void)unused;
  int fd = open(path, O_CREAT | O_RDWR, 0600);
  CHECK(fd >= 0 && write(fd, "contents", 8) == 8);
  struct stat s;
  struct statfs f;
  by_path("stat", BY_NAME(stat, stat));
  by_path("stat64", BY_NAME(stat64, stat));
  by_path("lstat", BY_NAME(lstat, stat));
  by_path("lstat64", BY_NAME(lstat64, stat));
  by_version("__xstat", BY_NAME(__xstat, xstat));
  by_version("__xstat64", BY_NAME(__xstat64, xstat));
  by_version("__lxstat", BY_NAME(__lxstat, xstat));
  by_version("__lxstat64", BY_NAME(__lxstat64, xstat));
  by_descriptor("fstat", fd, BY_NAME(fstat, fstat));
  by_descriptor("fstat64", fd, BY_NAME(fstat64, fstat));
  by_descriptor("__fstat64", fd, BY_NAME(__fstat64, fstat));
  SHOW(BY_NAME(__fxstat, fxstat)(1, fd, &s));
  SHOW(BY_NAME(__fxstat64, fxstat)(2, fd, &s));
  SHOW(BY_NAME(__fxstatat, fxstatat)(0, AT_FDCWD, path, &s, 0));
  SHOW(BY_NAME(__fxstatat64, fxstatat)(-1, AT_FDCWD, path, &s, 0));
  SHOW(BY_NAME(fstatat, fstatat)(AT_FDCWD, "/none", &s, 0));
  SHOW(BY_NAME(fstatat64, fstatat)(AT_FDCWD, path, &s, 0));
  SHOW(BY_NAME(statfs, statfs)(path, &f));
  SHOW(BY_NAME(__statfs, statfs)("/none", &f));
  SHOW(BY_NAME(statfs64, statfs)(path, &f));
  SHOW(BY_NAME(fstatfs, fstatfs)(fd, &f));
  SHOW(BY_NAME(fstatfs64, fstatfs)(-1, &f));
  SHOW(BY_NAME(truncate, truncate)(path, 7));
  SHOW(BY_NAME(truncate64, truncate)("/none", 7));
  SHOW(BY_NAME(ftruncate, ftruncate)(fd, 6));
  SHOW(BY_NAME(ftruncate64, ftruncate)(fd, -1));
  SHOW(BY_NAME(fallocate, fallocate)(fd, 0, 0, 8));
  SHOW(BY_NAME(ftw, ftw)(path, found, 4));
  SHOW(BY_NAME(ftw64, ftw)(path, found, 4));
  SHOW(BY_NAME(nftw, nftw)(path, found_too, 4, FTW_PHYS));
  SHOW(BY_NAME(nftw64, nftw)(path, found_too, 4, FTW_PHYS));
  SHOW(BY_NAME(fallocate64, fallocate)(fd, 0, 0, -8));
  SHOW_ERROR(BY_NAME(posix_fallocate, posix_fallocate)(fd, 0, 9));
  SHOW_ERROR(BY_NAME(posix_fallocate64, posix_fallocate)(fd, 0, -9));
  SHOW_ERROR(BY_NAME(posix_fadvise, posix_fadvise)(fd, 0, 0, POSIX_FADV_NORMAL));
  SHOW_ERROR(BY_NAME(posix_fadvise64, posix_fadvise)(fd, 0, 0, 99));
  close(fd);
  return NULL;
}

int main(void) {
  snprintf(path, sizeof path, "/tmp/guv-names-%d", (int)getpid());
  join_thread(start_thread(ask, NULL));
  CHECK(unlink(path) == 0);
  return success();
}
