// A blocking write of 4 MiB moves everything before it returns, whatever the call and the connection; checksummed.
#include "pairs.h"
#include <sys/uio.h>

enum { total = 4 << 20 };
static unsigned char out[total];
static void* reader(void* argument) {
  unsigned char block[70001];
  uint64_t sum = 0, count = 0;
  for (ssize_t got; count < total; count += (uint64_t)got) {
    got = read((int)(intptr_t)argument, block, sizeof block);
    CHECK(got > 0);
    for (ssize_t i = 0; i < got; i++) sum = sum * 31 + block[i];
  }
  return (void*)sum;
}
static ssize_t send_all(int how, int fd) {
  struct iovec vectors[3] = {{out, 1000000}, {out + 1000000, 7}, {out + 1000007, total - 1000007}};
  struct msghdr message = {.msg_iov = vectors, .msg_iovlen = 3};
  switch (how) {
    case 0: return write(fd, out, total);
    case 1: return writev(fd, vectors, 3);
    case 2: return send(fd, out, total, 0);
    case 3: return sendmsg(fd, &message, 0);
    default: return sendto(fd, out, total, MSG_NOSIGNAL, NULL, 0);
  }
}

int main(void) {
  uint64_t expected = 0;
  for (int i = 0; i < total; i++) expected = expected * 31 + (out[i] = (unsigned char)((unsigned)i * 2654435761u >> 13));
  const char* const names[] = {"write", "writev", "send", "sendmsg", "sendto"};
  for (int connection = 0; connection < 3; connection++) {
    for (int how = 0; how < (connection == 2 ? 2 : 5); how++) {
      int ends[2];
      if (connection == 2) {
        CHECK(pipe(ends) == 0);
        int swap = ends[0];
        ends[0] = ends[1], ends[1] = swap;
      } else {
        make_pair(connection == 0 ? TCP : UNIX_STREAM, ends);
      }
      pthread_t thread = start_thread(reader, (void*)(intptr_t)ends[1]);
      ssize_t sent = send_all(how, ends[0]);
      printf("%s, %s: %zd, checksum %s\n", connection == 2 ? "pipe" : kind_names[connection], names[how], sent,
             (uint64_t)join_thread(thread) == expected ? "right" : "wrong");
      close_pair(ends);
    }
  }
  return success();
}
