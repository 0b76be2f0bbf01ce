// Writes to regular files, small and large, to the cache and to the disk, by several threads at once: all is written, where
// it belongs, and errors are the kernel's.
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>

enum { part = 300000, ways = 7 };

static const char* const names[ways] = {"write", "write, O_DSYNC", "writev", "pwrite", "pwritev", "pwritev2, RWF_DSYNC", "write, O_APPEND"};
static char path[] = "/tmp/guv-file-writes-XXXXXX";
static char file_names[ways][64];
static unsigned char data[ways][part];

static ssize_t write_by(int way, int fd, size_t offset, size_t size) {
  struct iovec halves[2] = {{data[way] + offset, size / 2}, {data[way] + offset + size / 2, size - size / 2}};
  switch (way) {
    case 2: return writev(fd, halves, 2);
    case 3: return pwrite(fd, data[way] + offset, size, (off_t)offset);
    case 4: return pwritev(fd, halves, 2, (off_t)offset);
    case 5: return pwritev2(fd, halves, 2, (off_t)offset, RWF_DSYNC);
    default: return write(fd, data[way] + offset, size);
  }
}

static void* writer(void* argument) {
  const int way = (int)(intptr_t)argument;
  const int flags = way == 1 ? O_DSYNC : way == 6 ? O_APPEND : 0;
  const int fd = open(file_names[way], O_WRONLY | O_CREAT | flags, 0600);
  CHECK(fd >= 0);
  static const size_t sizes[] = {1, 100, 4096, 100000, 195803};
  size_t offset = 0;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; offset += sizes[i++]) {
    CHECK(write_by(way, fd, offset, sizes[i]) == (ssize_t)sizes[i]);
  }
  CHECK(offset == part);
  close(fd);
  return NULL;
}

int main(void) {
  CHECK(mkdtemp(path));
  pthread_t threads[ways];
  for (int way = 0; way < ways; way++) {
    snprintf(file_names[way], sizeof file_names[way], "%s/%d", path, way);
    for (int i = 0; i < part; i++) data[way][i] = (unsigned char)(i * 7 + way);
    threads[way] = start_thread(writer, (void*)(intptr_t)way);
  }
  static unsigned char found[part + 1];
  for (int way = 0; way < ways; way++) {
    join_thread(threads[way]);
    const int fd = open(file_names[way], O_RDONLY);
    CHECK(fd >= 0);
    const ssize_t size = read(fd, found, sizeof found);
    printf("%s: %zd bytes, %s\n", names[way], size, memcmp(found, data[way], part) ? "wrong" : "right");
    SHOW(write(fd, data[0], 100));
    SHOW(write(fd, data[0], 100000));
    SHOW(pwrite(fd, data[0], 100000, -1));
    close(fd);
  }
  SHOW(pwrite(-1, data[0], 100000, 0));

  // setrlimit(2): as much as may be, then SIGXFSZ, and EFBIG if that is ignored.
  const struct rlimit limit = {150000, 150000};
  CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
  const int fd = open(file_names[0], O_WRONLY | O_TRUNC);
  CHECK(fd >= 0);
  SHOW(write(fd, data[0], 200000));
  SHOW(write(fd, data[0], 200000));
  close(fd);
  for (int way = 0; way < ways; way++) unlink(file_names[way]);
  rmdir(path);
  return success();
}
