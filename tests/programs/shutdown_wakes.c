// What ends a blocked call: shutdown on either side, the peer's close, a reset, shutdown of a listener.
#include "pairs.h"
#include <poll.h>

static void* reader(void* argument) {
  char byte;
  ssize_t got = recv((int)(intptr_t)argument, &byte, 1, 0);
  return (void*)(intptr_t)(got == -1 ? errno : -(int)got);
}
static void* acceptor(void* argument) {
  return (void*)(intptr_t)(accept((int)(intptr_t)argument, NULL, NULL) == -1 ? errno : 0);
}
static void* poller(void* argument) {
  struct pollfd polled = {.fd = (int)(intptr_t)argument, .events = POLLIN | POLLRDHUP};
  CHECK(poll(&polled, 1, -1) == 1);
  return (void*)(intptr_t)polled.revents;
}
static void* sender(void* argument) {
  static char large[8 << 20];
  ssize_t sent = send((int)(intptr_t)argument, large, sizeof large, MSG_NOSIGNAL);
  CHECK(sent < (ssize_t)sizeof large);
  return (void*)(intptr_t)(sent > 0 ? 1 : errno);
}

int main(void) {
  const int kinds[] = {TCP, UNIX_STREAM, SEQPACKET};
  for (int i = 0; i < 3; i++) {
    for (int how = 0; how < 4; how++) {
      int ends[2];
      make_pair(kinds[i], ends);
      pthread_t thread = start_thread(reader, (void*)(intptr_t)ends[0]);
      let_others_run();
      if (how == 0) CHECK(shutdown(ends[0], SHUT_RD) == 0);
      if (how == 1) CHECK(shutdown(ends[1], SHUT_WR) == 0);
      if (how == 2) CHECK(close(ends[1]) == 0);
      if (how == 3 && kinds[i] == TCP) {
        struct linger reset = {1, 0};
        CHECK(setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0);
      }
      if (how == 3) CHECK(close(ends[1]) == 0);
      int result = (int)(intptr_t)join_thread(thread);
      const char* const names[] = {"own shutdown", "peer's shutdown", "peer's close", "peer's close or reset"};
      printf("%s: %s: %s\n", kind_names[kinds[i]], names[how], result > 0 ? errno_name(result) : "end of file");
      close(ends[0]);
    }
  }
  int ends[2];
  make_pair(UNIX_STREAM, ends);
  pthread_t blocked = start_thread(sender, (void*)(intptr_t)ends[0]);
  let_others_run();
  close(ends[1]);
  int result = (int)(intptr_t)join_thread(blocked);
  printf("sender: %s\n", result == 1 || result == EPIPE || result == ECONNRESET ? "ended" : errno_name(result));
  int listener = tcp_listener(5);
  pthread_t thread = start_thread(acceptor, (void*)(intptr_t)listener);
  let_others_run();
  CHECK(shutdown(listener, SHUT_RDWR) == 0);
  printf("accept: %s\n", errno_name((int)(intptr_t)join_thread(thread)));
  make_pair(TCP, ends);
  thread = start_thread(poller, (void*)(intptr_t)ends[0]);
  let_others_run();
  CHECK(shutdown(ends[1], SHUT_WR) == 0);
  printf("poll: %s\n", (intptr_t)join_thread(thread) == (POLLIN | POLLRDHUP) ? "POLLIN POLLRDHUP" : "other");
  return success();
}
