// Reading and writing by every other name: a call that has to wait holds up its own thread only.
#include "by_name.h"

#include <poll.h>
#include <sys/select.h>
#include <sys/uio.h>

static int ends[2];
static char got[8];
static _Atomic int waiting;

ssize_t read_chk(int, void*, size_t, size_t);
ssize_t recv_chk(int, void*, size_t, size_t, int);
ssize_t recvfrom_chk(int, void*, size_t, size_t, int, struct sockaddr*, socklen_t*);
ssize_t pread_chk(int, void*, size_t, off_t, size_t);
int poll_chk(struct pollfd*, nfds_t, int, size_t);
int ppoll_chk(struct pollfd*, nfds_t, const struct timespec*, const sigset_t*, size_t);

// ---- one byte is read, by each of these ----

enum { READ, READ_NOCANCEL, READ_CHK, RECV, RECV_CHK, RECVFROM_CHK, READV2, READV2_64, POLL, POLL_CHK, PPOLL_CHK, SELECT, WAYS_IN };

static ssize_t when_ready(int ready) { return ready == 1 ? read(ends[0], got, 1) : -1; }

static ssize_t take(int how) {
  struct iovec part = {got, 1};
  struct pollfd one = {ends[0], POLLIN, 0};
  fd_set set;
  FD_ZERO(&set);
  FD_SET(ends[0], &set);
  switch (how) {
    case READ: return BY_NAME(__read, read)(ends[0], got, 1);
    case READ_NOCANCEL: return BY_NAME(__read_nocancel, read)(ends[0], got, 1);
    case READ_CHK: return BY_NAME(__read_chk, read_chk)(ends[0], got, 1, sizeof got);
    case RECV: return BY_NAME(__recv, recv)(ends[0], got, 1, 0);
    case RECV_CHK: return BY_NAME(__recv_chk, recv_chk)(ends[0], got, 1, sizeof got, 0);
    case RECVFROM_CHK: return BY_NAME(__recvfrom_chk, recvfrom_chk)(ends[0], got, 1, sizeof got, 0, NULL, NULL);
    case READV2: return BY_NAME(preadv2, preadv2)(ends[0], &part, 1, -1, 0);
    case READV2_64: return BY_NAME(preadv64v2, preadv2)(ends[0], &part, 1, -1, 0);
    case POLL: return when_ready(BY_NAME(__poll, poll)(&one, 1, -1));
    case POLL_CHK: return when_ready(BY_NAME(__poll_chk, poll_chk)(&one, 1, -1, sizeof one));
    case PPOLL_CHK: return when_ready(BY_NAME(__ppoll_chk, ppoll_chk)(&one, 1, NULL, NULL, sizeof one));
    case SELECT: return when_ready(BY_NAME(__select, select)(ends[0] + 1, &set, NULL, NULL, NULL));
  }
  return -1;
}

static void* reader(void* how) {
  waiting = 1;
  CHECK(take((int)(intptr_t)how) == 1);
  return NULL;
}

// ---- and written until there is no more room, by each of these ----

enum { WRITE, WRITE_NOCANCEL, SEND, WRITEV2, WRITEV2_64, SENDMMSG, WAYS_OUT };
static char block[1 << 20];

static ssize_t put(int how) {
  struct iovec part = {block, sizeof block};
  struct mmsghdr message = {{NULL, 0, &part, 1, NULL, 0, 0}, 0};
  switch (how) {
    case WRITE: return BY_NAME(__write, write)(ends[0], block, sizeof block);
    case WRITE_NOCANCEL: return BY_NAME(__write_nocancel, write)(ends[0], block, sizeof block);
    case SEND: return BY_NAME(__send, send)(ends[0], block, sizeof block, 0);
    case WRITEV2: return BY_NAME(pwritev2, pwritev2)(ends[0], &part, 1, -1, 0);
    case WRITEV2_64: return BY_NAME(pwritev64v2, pwritev2)(ends[0], &part, 1, -1, 0);
    case SENDMMSG: return BY_NAME(__sendmmsg, sendmmsg)(ends[0], &message, 1, 0) == 1 ? (ssize_t)message.msg_len : -1;
  }
  return -1;
}

static void* writer(void* how) {
  waiting = 1;
  CHECK(put((int)(intptr_t)how) == (ssize_t)sizeof block);
  return NULL;
}

// ---- files ----

static void* file_calls(void* unused) {
  (void)unused;
  char path[] = "/tmp/guv-names-XXXXXX";
  int file = mkstemp(path);
  CHECK(file >= 0 && unlink(path) == 0);
  CHECK(BY_NAME(__pwrite64, pwrite)(file, "abcdef", 6, 0) == 6);
  CHECK(BY_NAME(__libc_pwrite, pwrite)(file, "X", 1, 2) == 1);
  CHECK(BY_NAME(__pread64, pread)(file, got, 1, 0) == 1 && got[0] == 'a');
  CHECK(BY_NAME(__libc_pread, pread)(file, got, 1, 1) == 1 && got[0] == 'b');
  CHECK(BY_NAME(__pread64_nocancel, pread)(file, got, 1, 2) == 1 && got[0] == 'X');
  CHECK(BY_NAME(__pread_chk, pread_chk)(file, got, 1, 3, sizeof got) == 1 && got[0] == 'd');
  CHECK(BY_NAME(__pread64_chk, pread_chk)(file, got, 1, 4, sizeof got) == 1 && got[0] == 'e');
  struct iovec part = {got, 2};
  CHECK(BY_NAME(preadv2, preadv2)(file, &part, 1, 0, 0) == 2 && got[1] == 'b');
  CHECK(BY_NAME(pwritev2, pwritev2)(file, &part, 1, 4, 0) == 2);

  // Closing.
  int copy = dup(file), other = dup(file);
  CHECK(BY_NAME(__dup2, dup2)(copy, other) == other);
  CHECK(BY_NAME(__close, close)(copy) == 0 && fcntl(copy, F_GETFD) == -1);
  CHECK(BY_NAME(__close_nocancel, close)(other) == 0 && fcntl(other, F_GETFD) == -1);
  CHECK(dup2(file, 700) == 700 && dup2(file, 701) == 701);
  CHECK(close_range(700, 700, 0) == 0 && fcntl(700, F_GETFD) == -1 && fcntl(701, F_GETFD) == 0);
  closefrom(700);
  CHECK(fcntl(701, F_GETFD) == -1);
  close(file);
  return NULL;
}

static void* connecter(void* listener) {
  struct sockaddr_in address;
  socklen_t length = name_of((int)(intptr_t)listener, &address);
  int fd = BY_NAME(__socket, socket)(AF_INET, SOCK_STREAM, 0);
  CHECK(fd >= 0);
  CHECK(BY_NAME(__connect, connect)(fd, (struct sockaddr*)&address, length) == 0);
  CHECK(write(fd, "c", 1) == 1);
  close(fd);
  return NULL;
}

int main(void) {
  for (int how = 0; how < WAYS_IN; how++) {
    make_pair(UNIX_STREAM, ends);
    waiting = 0;
    got[0] = 0;
    pthread_t thread = start_thread(reader, (void*)(intptr_t)how);
    CHECK(SOON(waiting));
    let_others_run();
    CHECK(write(ends[1], "r", 1) == 1);
    join_thread(thread);
    CHECK(got[0] == 'r');
    close_pair(ends);
    printf("way in %d\n", how);
  }
  for (int how = 0; how < WAYS_OUT; how++) {
    make_pair(UNIX_STREAM, ends);
    waiting = 0;
    pthread_t thread = start_thread(writer, (void*)(intptr_t)how);
    CHECK(SOON(waiting));
    let_others_run();
    static char drain[1 << 16];
    size_t total = 0;
    while (total < sizeof block) {
      ssize_t count = read(ends[1], drain, sizeof drain);
      CHECK(count > 0);
      total += (size_t)count;
    }
    join_thread(thread);
    close_pair(ends);
    printf("way out %d\n", how);
  }
  join_thread(start_thread(file_calls, NULL));
  int listener = tcp_listener(1);
  pthread_t thread = start_thread(connecter, (void*)(intptr_t)listener);
  int fd = accept(listener, NULL, NULL);
  CHECK(fd >= 0 && read(fd, got, 1) == 1 && got[0] == 'c');
  join_thread(thread);
  return success();
}
