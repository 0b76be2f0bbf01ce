// A file system that keeps its callers waiting holds up these, and nobody else: each call is made by several threads, and
// the file system (FUSE, by a process of our own) answers none of them before all have asked.
#include "shared.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/xattr.h>

enum { CALLERS = 8, PATIENCE = 10, REQUEST_SIZE = 128 * 1024 };

static struct {
  _Atomic unsigned watched;  // requests of this kind are answered only when all callers have asked
  _Atomic int most;          // so many had
} * shared;

// ---- the file system: a directory for each caller, with a file f, a link l and a directory d in each -----------------------

enum { ROOT = FUSE_ROOT_ID, DIRECTORY = 0x1000, FILE_IN = 0x2000, LINK_IN = 0x3000, DIRECTORY_IN = 0x4000 };

static int device;
static char request[REQUEST_SIZE];

static mode_t mode_of(uint64_t node) {
  switch (node & ~0xfffull) {
    case FILE_IN: return S_IFREG | 0644;
    case LINK_IN: return S_IFLNK | 0777;
    default: return S_IFDIR | 0755;
  }
}

static void answer(uint64_t unique, int error, const void* body, size_t size) {
  char text[4096];
  struct fuse_out_header head = {.len = (uint32_t)(sizeof head + size), .error = -error, .unique = unique};
  memcpy(text, &head, sizeof head);
  if (size) memcpy(text + sizeof head, body, size);
  if (write(device, text, head.len) < 0 && errno != ENOENT) _exit(3);
}

static struct fuse_attr attributes(uint64_t node) {
  return (struct fuse_attr){.ino = node, .size = 4, .mode = mode_of(node), .nlink = 1, .blksize = 4096};
}

static struct fuse_entry_out entry(uint64_t node) {
  const int keep = node < FILE_IN ? 3600 : 0;
  return (struct fuse_entry_out){.nodeid = node, .entry_valid = keep, .attr_valid = keep, .attr = attributes(node)};
}

static void answer_entry(uint64_t unique, uint64_t node) {
  struct fuse_entry_out out = entry(node);
  answer(unique, 0, &out, sizeof out);
}

static void look_up(const struct fuse_in_header* head, const char* name) {
  const uint64_t number = head->nodeid & 0xfff;
  if (head->nodeid == ROOT) answer_entry(head->unique, DIRECTORY + strtoul(name, NULL, 10));
  else if (!strcmp(name, "f")) answer_entry(head->unique, FILE_IN + number);
  else if (!strcmp(name, "l")) answer_entry(head->unique, LINK_IN + number);
  else if (!strcmp(name, "d")) answer_entry(head->unique, DIRECTORY_IN + number);
  else answer(head->unique, ENOENT, NULL, 0);
}

static void read_directory(const struct fuse_in_header* head, const struct fuse_read_in* in) {
  char text[FUSE_NAME_OFFSET + 8] = {0};
  struct fuse_dirent item = {.ino = FILE_IN, .off = 1, .namelen = 1, .type = DT_REG};
  memcpy(text, &item, FUSE_NAME_OFFSET);
  text[FUSE_NAME_OFFSET] = 'f';
  answer(head->unique, 0, text, in->offset == 0 ? sizeof text : 0);
}

static void handle(const struct fuse_in_header* head, const void* body) {
  const uint64_t number = head->nodeid & 0xfff;
  switch (head->opcode) {
    case FUSE_INIT: {
      struct fuse_init_out out = {.major = 7, .minor = 31, .flags = FUSE_PARALLEL_DIROPS | FUSE_ATOMIC_O_TRUNC,
                                  .max_background = 64, .congestion_threshold = 64, .max_write = 4096, .time_gran = 1};
      return answer(head->unique, 0, &out, sizeof out);
    }
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT: return;
    case FUSE_LOOKUP: return look_up(head, body);
    case FUSE_GETATTR:
    case FUSE_SETATTR: {
      struct fuse_attr_out out = {.attr = attributes(head->nodeid)};
      return answer(head->unique, 0, &out, sizeof out);
    }
    case FUSE_OPEN:
    case FUSE_OPENDIR: {
      struct fuse_open_out out = {.open_flags = head->opcode == FUSE_OPEN ? FOPEN_DIRECT_IO : 0};
      return answer(head->unique, 0, &out, sizeof out);
    }
    case FUSE_CREATE: {
      struct {
        struct fuse_entry_out entry;
        struct fuse_open_out open;
      } out = {entry(FILE_IN + number), {.open_flags = FOPEN_DIRECT_IO}};
      return answer(head->unique, 0, &out, sizeof out);
    }
    case FUSE_MKDIR: return answer_entry(head->unique, DIRECTORY_IN + number);
    case FUSE_MKNOD: return answer_entry(head->unique, FILE_IN + number);
    case FUSE_SYMLINK: return answer_entry(head->unique, LINK_IN + number);
    case FUSE_LINK: return answer_entry(head->unique, ((const struct fuse_link_in*)body)->oldnodeid);
    case FUSE_READLINK: return answer(head->unique, 0, "f", 1);
    case FUSE_READ: return answer(head->unique, 0, "text", 4);
    case FUSE_READDIR: return read_directory(head, body);
    case FUSE_WRITE: {
      struct fuse_write_out out = {.size = ((const struct fuse_write_in*)body)->size};
      return answer(head->unique, 0, &out, sizeof out);
    }
    case FUSE_STATFS: {
      struct fuse_statfs_out out = {.st = {.bsize = 4096, .namelen = 255}};
      return answer(head->unique, 0, &out, sizeof out);
    }
    case FUSE_GETXATTR:
      // The kernel asks for security.capability before it writes.
      if (((const struct fuse_getxattr_in*)body)->size == 0) return answer(head->unique, ENODATA, NULL, 0);
      return answer(head->unique, 0, "user.a", 7);
    case FUSE_LISTXATTR: return answer(head->unique, 0, "user.a", 7);
    case 52:  // FUSE_STATX, of newer headers: then it asks for less
      return answer(head->unique, ENOSYS, NULL, 0);
    default: return answer(head->unique, 0, NULL, 0);
  }
}

static void serve(void) {
  static char* held[CALLERS];
  int count = 0;
  for (;;) {
    struct pollfd asked = {device, POLLIN, 0};
    const int ready = poll(&asked, 1, count ? PATIENCE * 1000 : -1);
    if (ready > 0) {
      const ssize_t size = read(device, request, sizeof request);
      if (size < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT)) continue;
      if (size < 0) _exit(errno == ENODEV ? 0 : 2);
      const struct fuse_in_header* head = (const struct fuse_in_header*)request;
      if (head->opcode != shared->watched) {
        handle(head, head + 1);
        continue;
      }
      held[count] = malloc((size_t)size);
      memcpy(held[count++], request, (size_t)size);
      if (shared->most < count) shared->most = count;
      if (count < CALLERS) continue;
    }
    while (count) {
      const struct fuse_in_header* head = (const struct fuse_in_header*)held[--count];
      handle(head, head + 1);
      free(held[count]);
    }
  }
}

// ---- the calls ------------------------------------------------------------------------------------------------------------

static char top[] = "/tmp/guv-slow-XXXXXX";

struct place {
  char file[64], link[64], directory[64], fresh[64];
  int fd;            // of the file
  int directory_fd;  // of the caller's directory
};
static struct place places[CALLERS];

static struct stat status;
static struct statx extended;
static struct statfs of_fs;
static struct statvfs of_vfs;
static const struct timespec at[2] = {{1, 0}, {2, 0}};
static const struct timeval at_micro[2] = {{1, 0}, {2, 0}};

// Each returns what tells success: not -1.
#define CALL(name, expression) \
  static long name(struct place* p) { return expression; }
static long open_and_close(int fd) { return fd < 0 ? fd : close(fd); }
static long list(const char* path) {
  DIR* directory = opendir(path);
  if (!directory) return -1;
  const long result = readdir(directory) ? 0 : -1;
  closedir(directory);
  return result;
}
static long match(const char* path) {
  char pattern[80];
  snprintf(pattern, sizeof pattern, "%s*", path);
  glob_t found;
  const int result = glob(pattern, 0, NULL, &found);
  globfree(&found);
  return -result;
}
static long real(const char* path) {
  char resolved[4096];
  return realpath(path, resolved) ? 0 : -1;
}
static long stream(const char* path) {
  FILE* file = fopen(path, "w");
  if (!file) return -1;
  fputs("text", file);
  return fclose(file);
}

CALL(by_stat, stat(p->file, &status))
CALL(by_lstat, lstat(p->file, &status))
CALL(by_fstat, fstat(p->fd, &status))
CALL(by_fstatat, fstatat(p->directory_fd, "f", &status, 0))
CALL(by_statx, statx(p->directory_fd, "f", 0, STATX_ALL, &extended))
CALL(by_statfs, statfs(p->file, &of_fs))
CALL(by_fstatfs, fstatfs(p->fd, &of_fs))
CALL(by_statvfs, statvfs(p->file, &of_vfs))
CALL(by_fstatvfs, fstatvfs(p->fd, &of_vfs))
CALL(by_access, access(p->file, R_OK))
CALL(by_faccessat, faccessat(p->directory_fd, "f", R_OK, AT_EACCESS))
CALL(by_euidaccess, euidaccess(p->file, R_OK))
CALL(by_open, open_and_close(open(p->file, O_RDONLY)))
CALL(by_openat, open_and_close(openat(p->directory_fd, "f", O_WRONLY)))
CALL(by_creat, open_and_close(creat(p->fresh, 0600)))
CALL(by_fopen, stream(p->file))
CALL(by_fclose, stream(p->file))
CALL(by_close, open_and_close(open(p->file, O_RDONLY)))
CALL(by_read, read(p->fd, (char[8]){0}, 8) == 4 ? 0 : -1)
CALL(by_pread, pread(p->fd, (char[8]){0}, 8, 1) == 4 ? 0 : -1)
CALL(by_write, write(p->fd, "text", 4) == 4 ? 0 : -1)
CALL(by_pwrite, pwrite(p->fd, "text", 4, 1) == 4 ? 0 : -1)
CALL(by_fsync, fsync(p->fd))
CALL(by_fallocate, fallocate(p->fd, 0, 0, 10))
CALL(by_posix_fallocate, -posix_fallocate(p->fd, 0, 10))
CALL(by_truncate, truncate(p->file, 3))
CALL(by_ftruncate, ftruncate(p->fd, 3))
CALL(by_chmod, chmod(p->file, 0600))
CALL(by_fchmod, fchmod(p->fd, 0600))
CALL(by_fchmodat, fchmodat(p->directory_fd, "f", 0600, 0))
CALL(by_chown, chown(p->file, 1, 1))
CALL(by_lchown, lchown(p->link, 1, 1))
CALL(by_fchown, fchown(p->fd, 1, 1))
CALL(by_fchownat, fchownat(p->directory_fd, "f", 1, 1, 0))
CALL(by_utime, utimes(p->file, NULL))
CALL(by_utimes, utimes(p->file, at_micro))
CALL(by_lutimes, lutimes(p->link, at_micro))
CALL(by_futimes, futimes(p->fd, at_micro))
CALL(by_utimensat, utimensat(p->directory_fd, "f", at, 0))
CALL(by_futimens, futimens(p->fd, at))
CALL(by_mkdir, mkdir(p->fresh, 0700))
CALL(by_mkdirat, mkdirat(p->directory_fd, "g", 0700))
CALL(by_mkfifo, mkfifo(p->fresh, 0700) == -1 && errno == EIO ? 0 : -1)  // it is told of a regular file
CALL(by_mknod, mknod(p->fresh, S_IFREG | 0600, 0))
CALL(by_rmdir, rmdir(p->directory))
CALL(by_unlink, unlink(p->file))
CALL(by_unlinkat, unlinkat(p->directory_fd, "f", 0))
CALL(by_remove, remove(p->file))
CALL(by_rename, rename(p->file, p->fresh))
CALL(by_renameat, renameat(p->directory_fd, "f", p->directory_fd, "g"))
CALL(by_renameat2, renameat2(p->directory_fd, "f", p->directory_fd, "g", RENAME_NOREPLACE))
CALL(by_link, link(p->file, p->fresh))
CALL(by_linkat, linkat(p->directory_fd, "f", p->directory_fd, "g", 0))
CALL(by_symlink, symlink("f", p->fresh))
CALL(by_symlinkat, symlinkat("f", p->directory_fd, "g"))
CALL(by_readlink, readlink(p->link, (char[8]){0}, 8))
CALL(by_readlinkat, readlinkat(p->directory_fd, "l", (char[8]){0}, 8))
CALL(by_realpath, real(p->link))
CALL(by_getxattr, getxattr(p->file, "user.a", (char[8]){0}, 8))
CALL(by_lgetxattr, lgetxattr(p->file, "user.a", (char[8]){0}, 8))
CALL(by_fgetxattr, fgetxattr(p->fd, "user.a", (char[8]){0}, 8))
CALL(by_setxattr, setxattr(p->file, "user.a", "b", 1, 0))
CALL(by_fsetxattr, fsetxattr(p->fd, "user.a", "b", 1, 0))
CALL(by_listxattr, listxattr(p->file, (char[8]){0}, 8))
CALL(by_flistxattr, flistxattr(p->fd, (char[8]){0}, 8))
CALL(by_removexattr, removexattr(p->file, "user.a"))
CALL(by_fremovexattr, fremovexattr(p->fd, "user.a"))
CALL(by_opendir, list(p->directory))
CALL(by_readdir, list(p->directory))
CALL(by_glob, match(p->file))
static int count_file(const char* path, const struct stat* s, int kind) {
  (void)path, (void)s, (void)kind;
  return 0;
}
static int visit_file(const char* path, const struct stat* s, int kind, struct FTW* where) {
  (void)path, (void)s, (void)where;
  return kind == FTW_F ? 5 : 0;
}
CALL(by_ftw, ftw(p->directory, count_file, 4))
CALL(by_nftw, nftw(p->directory, visit_file, 4, FTW_PHYS) == 5 ? 0 : -1)
CALL(by_chdir, chdir(p->directory))
CALL(by_fchdir, fchdir(p->directory_fd))
CALL(by_syscall, syscall(SYS_mkdir, p->fresh, 0700))

static const struct {
  const char* name;
  long (*call)(struct place* p);
  unsigned request;
} calls[] = {
#define ROW(name, request) {#name, by_##name, request}
    ROW(stat, FUSE_LOOKUP),        ROW(lstat, FUSE_GETATTR),      ROW(fstat, FUSE_GETATTR),
    ROW(fstatat, FUSE_LOOKUP),     ROW(statx, FUSE_LOOKUP),       ROW(statfs, FUSE_STATFS),
    ROW(fstatfs, FUSE_STATFS),     ROW(statvfs, FUSE_STATFS),     ROW(fstatvfs, FUSE_STATFS),
    ROW(access, FUSE_ACCESS),      ROW(faccessat, FUSE_ACCESS),   ROW(euidaccess, FUSE_ACCESS),
    ROW(open, FUSE_OPEN),          ROW(openat, FUSE_OPEN),        ROW(creat, FUSE_CREATE),
    ROW(fopen, FUSE_OPEN),         ROW(fclose, FUSE_WRITE),       ROW(close, FUSE_FLUSH),
    ROW(read, FUSE_READ),          ROW(pread, FUSE_READ),         ROW(write, FUSE_WRITE),
    ROW(pwrite, FUSE_WRITE),       ROW(fsync, FUSE_FSYNC),        ROW(fallocate, FUSE_FALLOCATE),
    ROW(posix_fallocate, FUSE_FALLOCATE), ROW(truncate, FUSE_SETATTR), ROW(ftruncate, FUSE_SETATTR),
    ROW(chmod, FUSE_SETATTR),      ROW(fchmod, FUSE_SETATTR),     ROW(fchmodat, FUSE_SETATTR),
    ROW(chown, FUSE_SETATTR),      ROW(lchown, FUSE_SETATTR),     ROW(fchown, FUSE_SETATTR),
    ROW(fchownat, FUSE_SETATTR),   ROW(utime, FUSE_SETATTR),      ROW(utimes, FUSE_SETATTR),
    ROW(lutimes, FUSE_SETATTR),    ROW(futimes, FUSE_SETATTR),    ROW(utimensat, FUSE_SETATTR),
    ROW(futimens, FUSE_SETATTR),   ROW(mkdir, FUSE_MKDIR),        ROW(mkdirat, FUSE_MKDIR),
    ROW(mkfifo, FUSE_MKNOD),       ROW(mknod, FUSE_MKNOD),        ROW(rmdir, FUSE_RMDIR),
    ROW(unlink, FUSE_UNLINK),      ROW(unlinkat, FUSE_UNLINK),    ROW(remove, FUSE_UNLINK),
    ROW(rename, FUSE_RENAME),      ROW(renameat, FUSE_RENAME),    ROW(renameat2, FUSE_RENAME2),
    ROW(link, FUSE_LINK),          ROW(linkat, FUSE_LINK),        ROW(symlink, FUSE_SYMLINK),
    ROW(symlinkat, FUSE_SYMLINK),  ROW(readlink, FUSE_READLINK),  ROW(readlinkat, FUSE_READLINK),
    ROW(realpath, FUSE_READLINK),  ROW(getxattr, FUSE_GETXATTR),  ROW(lgetxattr, FUSE_GETXATTR),
    ROW(fgetxattr, FUSE_GETXATTR), ROW(setxattr, FUSE_SETXATTR),  ROW(fsetxattr, FUSE_SETXATTR),
    ROW(listxattr, FUSE_LISTXATTR), ROW(flistxattr, FUSE_LISTXATTR), ROW(removexattr, FUSE_REMOVEXATTR),
    ROW(fremovexattr, FUSE_REMOVEXATTR), ROW(opendir, FUSE_OPENDIR), ROW(readdir, FUSE_READDIR),
    ROW(glob, FUSE_OPENDIR),       ROW(chdir, FUSE_ACCESS),       ROW(fchdir, FUSE_ACCESS),
    ROW(ftw, FUSE_OPENDIR),        ROW(nftw, FUSE_OPENDIR),      ROW(syscall, FUSE_MKDIR),
};

static long (*the_call)(struct place* p);

static void* make_call(void* place) {
  errno = 0;
  const long result = the_call(place);
  return (void*)(intptr_t)(result < 0 ? (errno ? errno : -1) : 0);
}

static void find_places(void) {
  for (int i = 0; i < CALLERS; i++) {
    struct place* p = &places[i];
    snprintf(p->directory, sizeof p->directory, "%s/%d", top, i);
    p->directory_fd = open(p->directory, O_RDONLY | O_DIRECTORY);
    CHECK(p->directory_fd >= 0);
    snprintf(p->file, sizeof p->file, "%s/%d/f", top, i);
    snprintf(p->link, sizeof p->link, "%s/%d/l", top, i);
    snprintf(p->fresh, sizeof p->fresh, "%s/%d/g", top, i);
    snprintf(p->directory, sizeof p->directory, "%s/%d/d", top, i);
    p->fd = open(p->file, O_RDWR);
    CHECK(p->fd >= 0);
  }
}

static int cannot(const char* what) {
  printf("skipped: %s: %s\n", what, errno_name(errno));
  return 77;
}

int main(void) {
  shared = share(sizeof *shared);
  CHECK(mkdtemp(top));
  device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  char options[80];
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
  if (device < 0 || mount("guv-slow", top, "fuse", MS_NOSUID | MS_NODEV, options) != 0) {
    const int error = errno;
    rmdir(top);
    errno = error;
    return cannot("a FUSE file system cannot be had");
  }
  const pid_t server = fork();
  if (server == 0) serve();
  close(device);
  find_places();

  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    pthread_t callers[CALLERS];
    the_call = calls[i].call;
    shared->most = 0;
    shared->watched = calls[i].request;
    for (int k = 0; k < CALLERS; k++) callers[k] = start_thread(make_call, &places[k]);
    int error = 0;
    for (int k = 0; k < CALLERS; k++) error |= (int)(intptr_t)join_thread(callers[k]);
    shared->watched = 0;
    printf("%s: %s, %d at the same time\n", calls[i].name, errno_name(error), shared->most);
    CHECK(chdir("/") == 0);
  }

  for (int i = 0; i < CALLERS; i++) {
    close(places[i].fd);
    close(places[i].directory_fd);
  }
  CHECK(umount2(top, MNT_DETACH) == 0);
  CHECK(waitpid(server, NULL, 0) == server && rmdir(top) == 0);
  return success();
}
