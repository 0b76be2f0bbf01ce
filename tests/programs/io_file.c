// Regular files from several threads: pread, pwrite, preadv, pwritev, O_APPEND, lseek, fsync, ftruncate, copy_file_range.
#include "check.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>

enum { threads = 12, block = 4000, rounds = 20 };
static int fd, journal;
static void* work(void* argument) {
  int me = (int)(intptr_t)argument;
  char bytes[block], back[block];
  for (int i = 0; i < rounds; i++) {
    memset(bytes, me * rounds + i, block);
    off_t where = (off_t)(me * rounds + i) * block;
    struct iovec vector[2] = {{bytes, 100}, {bytes + 100, block - 100}}, in[2] = {{back, 999}, {back + 999, block - 999}};
    CHECK((i % 2 ? pwrite(fd, bytes, block, where) : pwritev(fd, vector, 2, where)) == block);
    if (i % 10 == 0) CHECK(fsync(fd) == 0 && fdatasync(fd) == 0);
    CHECK((i % 3 ? pread(fd, back, block, where) : preadv(fd, in, 2, where)) == block);
    CHECK(memcmp(bytes, back, block) == 0);
    CHECK(write(journal, "one line\n", 9) == 9);
  }
  return NULL;
}

int main(void) {
  fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0600);
  journal = open("journal", O_WRONLY | O_CREAT | O_APPEND, 0600);
  CHECK(fd >= 0 && journal >= 0);
  pthread_t ids[threads];
  for (intptr_t i = 0; i < threads; i++) ids[i] = start_thread(work, (void*)i);
  for (int i = 0; i < threads; i++) join_thread(ids[i]);
  struct stat status;
  CHECK(fstat(fd, &status) == 0);
  printf("data: %ld bytes\n", (long)status.st_size);
  CHECK(stat("journal", &status) == 0);
  printf("journal: %ld bytes\n", (long)status.st_size);
  char bytes[10];
  SHOW(lseek(fd, -5, SEEK_END));
  SHOW(read(fd, bytes, sizeof bytes));
  SHOW(read(fd, bytes, sizeof bytes));
  SHOW(ftruncate(fd, 7));
  SHOW(pread(fd, bytes, sizeof bytes, 0));
  SHOW(pread(fd, bytes, sizeof bytes, 100));
  SHOW(pread(fd, bytes, sizeof bytes, -1));
  int ends[2], other = open("copy", O_RDWR | O_CREAT, 0600);
  CHECK(pipe(ends) == 0);
  SHOW(pread(ends[0], bytes, 1, 0));
  SHOW(pwrite(ends[1], bytes, 1, 0));
  off_t from = 0;
  SHOW(copy_file_range(fd, &from, other, NULL, 100, 0));
  SHOW(posix_fallocate(other, 0, 1000));
  SHOW(lseek(other, 0, SEEK_END));
  SHOW(write(open("data", O_RDONLY), "x", 1));
  return success();
}
