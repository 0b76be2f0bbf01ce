// syscall(2) with numbers that ask a file system: openat2 of a FIFO waits for its other end, which another thread opens;
// others in the kernel's form, which is not always libc's; and what the number closes is not what guv needs.
#include "check.h"
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int top;
static struct open_how how = {.flags = O_RDONLY};

static void* read_fifo(void* path) {
  char byte;
  const long fd = syscall(SYS_openat2, top, path, &how, sizeof how);
  CHECK(fd >= 0 && syscall(SYS_read, fd, &byte, 1) == 1 && close((int)fd) == 0);
  return NULL;
}

static void through_fifo(const char* what, const char* path) {
  const pthread_t reader = start_thread(read_fifo, (void*)path);
  let_others_run();
  const int fd = open("fifo", O_WRONLY);
  CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
  join_thread(reader);
  printf("%s: read from the FIFO\n", what);
}

static void* add_one(void* number) {
  ++*(int*)number;
  return NULL;
}

int main(void) {
  top = open(".", O_RDONLY | O_DIRECTORY);
  CHECK(top >= 0);
  const struct open_how look = {.flags = O_PATH | O_CLOEXEC};
  if (syscall(SYS_openat2, top, ".", &look, sizeof look) == -1) {
    printf("skipped: openat2: %s\n", errno_name(errno));
    return 77;
  }
  SHOW(syscall(SYS_mknodat, top, "fifo", S_IFIFO | 0600, 0));
  through_fifo("openat2", "fifo");
  how.resolve = RESOLVE_IN_ROOT;
  through_fifo("in another root", "/fifo");
  SHOW(syscall(SYS_openat2, top, "missing", &how, sizeof how));
  SHOW(syscall(SYS_openat2, top, "fifo", &how, sizeof how - 1));
  SHOW(syscall(SYS_openat2, top, "fifo", NULL, sizeof how));
  how.flags = O_RDONLY | O_NONBLOCK;
  const int ready = (int)syscall(SYS_openat2, top, "fifo", &how, sizeof how);
  CHECK(ready >= 0);
  printf("flags %x\n", fcntl(ready, F_GETFL) & O_NONBLOCK);
  how = (struct open_how){.flags = O_RDWR | O_CREAT, .mode = 0640};
  const int file = (int)syscall(SYS_openat2, top, "file", &how, sizeof how);
  CHECK(file >= 0);

  struct timespec times[2] = {{1, 0}, {2, 0}};
  struct stat status;
  SHOW(syscall(SYS_utimensat, file, NULL, times, 0));
  CHECK(fstat(file, &status) == 0 && status.st_mtime == 2);
  SHOW(syscall(SYS_utimensat, top, "missing", times, 0));
  SHOW(syscall(SYS_fchmodat, top, "file", 0600, -1));  // it has no flags
  SHOW(syscall(SYS_faccessat, top, "file", R_OK, -1));
  SHOW(syscall(SYS_faccessat2, top, "file", R_OK, -1));
  SHOW(syscall(SYS_mknod, "other", S_IFREG | 0600, 0));
  SHOW(syscall(SYS_utimes, "other", NULL));
  SHOW(syscall(SYS_fadvise64, file, 0, 0, POSIX_FADV_NORMAL));
  char names[512];
  CHECK(syscall(SYS_getdents, top, names, sizeof names) > 0);
  SHOW(syscall(SYS_sync));

  char* arguments[] = {(char*)"missing", NULL};
  SHOW(syscall(SYS_execve, "./missing", arguments, NULL));
  SHOW(syscall(SYS_close_range, 3, ~0u, 0));
  int count = 0;
  for (int i = 0; i < 10; i++) join_thread(start_thread(add_one, &count));
  usleep(1000);
  printf("%d threads after all was closed\n", count);
  return success();
}
