// Opening, locking and flushing by every name there is: a FIFO without a peer and a lock that is held hold up one thread.
#include "by_name.h"

#include <aio.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static char fifo[64], path[64];
static _Atomic int waiting, passed;
int open_2(const char*, int);
int openat_2(int, const char*, int);

enum { OPEN, OPEN64, OPEN_NOCANCEL, OPEN64_NOCANCEL, OPENAT, OPENAT64, OPEN_2, OPEN64_2, OPENAT_2, OPENAT64_2, WAYS };

static int open_by(int how) {
  switch (how) {
    case OPEN: return BY_NAME(__open, open)(fifo, O_RDONLY);
    case OPEN64: return BY_NAME(__open64, open)(fifo, O_RDONLY);
    case OPEN_NOCANCEL: return BY_NAME(__open_nocancel, open)(fifo, O_RDONLY);
    case OPEN64_NOCANCEL: return BY_NAME(__open64_nocancel, open)(fifo, O_RDONLY);
    case OPENAT: return BY_NAME(openat, openat)(AT_FDCWD, fifo, O_RDONLY);
    case OPENAT64: return BY_NAME(openat64, openat)(AT_FDCWD, fifo, O_RDONLY);
    case OPEN_2: return BY_NAME(__open_2, open_2)(fifo, O_RDONLY);
    case OPEN64_2: return BY_NAME(__open64_2, open_2)(fifo, O_RDONLY);
    case OPENAT_2: return BY_NAME(__openat_2, openat_2)(AT_FDCWD, fifo, O_RDONLY);
    case OPENAT64_2: return BY_NAME(__openat64_2, openat_2)(AT_FDCWD, fifo, O_RDONLY);
  }
  return -1;
}

static void* opener(void* how) {
  waiting = 1;
  int fd = open_by((int)(intptr_t)how);
  CHECK(fd >= 0);
  passed = 1;
  char byte;
  CHECK(read(fd, &byte, 1) == 1 && byte == 'f');
  close(fd);
  return NULL;
}

static int set_lock(int how, int fd, int command, struct flock* lock) {
  switch (how) {
    case 0: return BY_NAME(fcntl, fcntl)(fd, command, lock);
    case 1: return BY_NAME(__fcntl, fcntl)(fd, command, lock);
    case 2: return BY_NAME(__libc_fcntl64, fcntl)(fd, command, lock);
  }
  return -1;
}

static void* locker(void* how) {
  int fd = open(path, O_RDWR);
  CHECK(fd >= 0);
  struct flock lock;
  memset(&lock, 0, sizeof lock);
  lock.l_type = F_WRLCK;
  waiting = 1;
  CHECK(set_lock((int)(intptr_t)how, fd, F_OFD_SETLKW, &lock) == 0);
  passed = 1;
  close(fd);
  return NULL;
}

static void* others(void* unused) {
  (void)unused;
  // Creating.
  int ends[2];
  CHECK(BY_NAME(__pipe, pipe)(ends) == 0);
  CHECK(write(ends[1], "p", 1) == 1);
  char text[8];
  CHECK(read(ends[0], text, sizeof text) == 1 && text[0] == 'p');
  int (*creators[])(const char*, mode_t) = {BY_NAME(creat, creat), BY_NAME(creat64, creat)};
  for (int i = 0; i < 2; i++) {
    int fd = creators[i](path, 0600);
    CHECK(fd >= 0 && write(fd, "created", 7) == 7);
    close(fd);
  }
  int memory = memfd_create("names", MFD_CLOEXEC);
  CHECK(memory >= 0 && write(memory, "in memory", 9) == 9);
  int events = inotify_init();
  CHECK(events >= 0 && inotify_add_watch(events, "/tmp", IN_DELETE) >= 0);
  close(events);

  // Moving.
  int file = open(path, O_RDWR);
  off_t from = 3;
  CHECK(BY_NAME(sendfile, sendfile)(ends[1], memory, &from, 6) == 6 && from == 9);
  CHECK(read(ends[0], text, sizeof text) == 6 && memcmp(text, "memory", 6) == 0);

  // Flushing.
  CHECK(sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE) == 0);
  void* pages = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  CHECK(pages != MAP_FAILED);
  memcpy(pages, "C", 1);
  CHECK(msync(pages, 4096, MS_SYNC) == 0);
  CHECK(munmap(pages, 4096) == 0);
  CHECK(pread(file, text, 7, 0) == 7 && memcmp(text, "Created", 7) == 0);
  CHECK(syncfs(memory) == 0);
  sync();

  // Asynchronously.
  struct aiocb again = {.aio_fildes = file, .aio_buf = text, .aio_nbytes = 7, .aio_lio_opcode = LIO_READ};
  struct aiocb* requests[] = {&again};
  const struct aiocb* const to_wait_for[] = {&again};
  CHECK(BY_NAME(lio_listio, lio_listio)(LIO_WAIT, requests, 1, NULL) == 0 && aio_return(&again) == 7);
  CHECK(BY_NAME(lio_listio64, lio_listio)(LIO_NOWAIT, requests, 1, NULL) == 0);
  CHECK(BY_NAME(aio_suspend, aio_suspend)(to_wait_for, 1, NULL) == 0 && aio_return(&again) == 7);
  CHECK(BY_NAME(aio_suspend64, aio_suspend)(to_wait_for, 1, NULL) == 0);
  close(file);
  close(memory);
  close_pair(ends);
  return NULL;
}

int main(void) {
  snprintf(fifo, sizeof fifo, "/tmp/guv-names-fifo-%d", (int)getpid());
  snprintf(path, sizeof path, "/tmp/guv-names-file-%d", (int)getpid());
  CHECK(mkfifo(fifo, 0600) == 0);
  for (int how = 0; how < WAYS; how++) {
    waiting = passed = 0;
    pthread_t thread = start_thread(opener, (void*)(intptr_t)how);
    CHECK(SOON(waiting));
    let_others_run();
    CHECK(!passed);
    int fd = open(fifo, O_WRONLY);
    CHECK(fd >= 0 && write(fd, "f", 1) == 1);
    close(fd);
    join_thread(thread);
    printf("way to open %d\n", how);
  }
  unlink(fifo);
  join_thread(start_thread(others, NULL));
  for (int how = 0; how < 3; how++) {
    int fd = open(path, O_RDWR);
    struct flock lock;
    memset(&lock, 0, sizeof lock);
    lock.l_type = F_WRLCK;
    CHECK(set_lock(how, fd, F_OFD_SETLK, &lock) == 0);
    waiting = passed = 0;
    pthread_t thread = start_thread(locker, (void*)(intptr_t)how);
    CHECK(SOON(waiting));
    let_others_run();
    CHECK(!passed);
    lock.l_type = F_UNLCK;
    CHECK(set_lock(how, fd, F_OFD_SETLK, &lock) == 0);
    join_thread(thread);
    close(fd);
    printf("way to lock %d\n", how);
  }
  unlink(path);
  return success();
}
