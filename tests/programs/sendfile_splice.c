// sendfile, splice, tee and vmsplice move everything between files, pipes and sockets, waiting where they must.
#include "pairs.h"
#include <sys/sendfile.h>
#include <sys/uio.h>

enum { total = 1 << 20 };
static uint64_t sum_of(const unsigned char* bytes, size_t count, uint64_t sum) {
  for (size_t i = 0; i < count; i++) sum = sum * 31 + bytes[i];
  return sum;
}
static void* drain(void* argument) {
  unsigned char block[9000];
  uint64_t sum = 0;
  for (ssize_t got; (got = read((int)(intptr_t)argument, block, sizeof block)) > 0;) sum = sum_of(block, (size_t)got, sum);
  return (void*)sum;
}
static int in_pipe[2], out_socket[2];
static void* forward(void* argument) {  // pipe → socket, until the pipe ends
  long moved = 0;
  for (ssize_t got; (got = splice(in_pipe[0], NULL, out_socket[0], NULL, 50000, SPLICE_F_MOVE)) != 0; moved += got) CHECK(got > 0);
  CHECK(shutdown(out_socket[0], SHUT_WR) == 0 && argument == NULL);
  return (void*)moved;
}

int main(void) {
  static unsigned char bytes[total];
  for (int i = 0; i < total; i++) bytes[i] = (unsigned char)((unsigned)i * 2654435761u >> 11);
  uint64_t expected = sum_of(bytes, total, 0);
  FILE* stream = tmpfile();
  int file = fileno(stream);
  CHECK(write(file, bytes, total) == total);
  const int kinds[] = {TCP, UNIX_STREAM};
  for (int i = 0; i < 2; i++) {
    int ends[2];
    make_pair(kinds[i], ends);
    pthread_t thread = start_thread(drain, (void*)(intptr_t)ends[1]);
    off_t offset = 0;
    long moved = 0;
    while (moved < total) {
      ssize_t sent = sendfile(ends[0], file, &offset, (size_t)(total - moved));
      CHECK(sent > 0);
      moved += sent;
    }
    CHECK(offset == total && sendfile(ends[0], file, &offset, 10) == 0);
    close(ends[0]);
    printf("sendfile to %s: %ld, %s\n", kind_names[kinds[i]], moved, (uint64_t)join_thread(thread) == expected ? "right" : "wrong");
    close(ends[1]);
  }
  CHECK(pipe(in_pipe) == 0);
  make_pair(UNIX_STREAM, out_socket);
  pthread_t drainer = start_thread(drain, (void*)(intptr_t)out_socket[1]), forwarder = start_thread(forward, NULL);
  let_others_run();
  CHECK(write(in_pipe[1], bytes, total / 2) == total / 2);
  struct iovec vector = {bytes + total / 2, total / 2};
  while (vector.iov_len > 0) {
    ssize_t got = vmsplice(in_pipe[1], &vector, 1, 0);
    CHECK(got > 0);
    vector.iov_base = (char*)vector.iov_base + got;
    vector.iov_len -= (size_t)got;
  }
  close(in_pipe[1]);
  printf("splice: %ld, ", (long)join_thread(forwarder));
  printf("%s\n", (uint64_t)join_thread(drainer) == expected ? "right" : "wrong");
  int a[2], b[2];
  CHECK(pipe(a) == 0 && pipe(b) == 0 && write(a[1], "tee", 3) == 3);
  SHOW(tee(a[0], b[1], 100, 0));
  SHOW(read(b[0], bytes, 100));
  SHOW(splice(b[0], NULL, a[1], NULL, 10, SPLICE_F_NONBLOCK));
  return success();
}
