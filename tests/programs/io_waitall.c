// MSG_WAITALL waits for everything, MSG_PEEK leaves it there, SO_RCVLOWAT sets how much poll waits for.
#include "pairs.h"
#include <poll.h>

static int ends[2];
static void* send_in_pieces(void* argument) {
  const char* text = argument;
  for (const char* at = text; *at; at++) {
    CHECK(send(ends[0], at, 1, 0) == 1);
    for (int i = 0; i < 20; i++) sched_yield();
  }
  return NULL;
}

int main(void) {
  const int kinds[] = {TCP, UNIX_STREAM};
  for (int i = 0; i < 2; i++) {
    make_pair(kinds[i], ends);
    printf("-- %s\n", kind_names[kinds[i]]);
    char text[100] = "";
    pthread_t thread = start_thread(send_in_pieces, (void*)"twenty bytes of text");
    SHOW(recv(ends[1], text, 20, MSG_WAITALL));
    puts(text);
    join_thread(thread);

    thread = start_thread(send_in_pieces, (void*)"peeked");
    SHOW(recv(ends[1], text, 6, MSG_PEEK | MSG_WAITALL) >= 1);
    join_thread(thread);
    struct iovec vectors[2] = {{text, 2}, {text + 2, 4}};
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = 2};
    SHOW(recvmsg(ends[1], &message, MSG_WAITALL));

    if (kinds[i] == TCP) {  // poll knows SO_RCVLOWAT; a recv that took some of it already would not be woken
      int low = 8;
      struct pollfd polled = {.fd = ends[1], .events = POLLIN};
      CHECK(setsockopt(ends[1], SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low) == 0);
      CHECK(send(ends[0], "low", 3, 0) == 3);
      SHOW(poll(&polled, 1, 20));
      thread = start_thread(send_in_pieces, (void*)"water");
      SHOW(poll(&polled, 1, -1));
      SHOW(recv(ends[1], text, 100, 0));
      join_thread(thread);
      low = 1;
      CHECK(setsockopt(ends[1], SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low) == 0);
    }

    thread = start_thread(send_in_pieces, (void*)"short");
    join_thread(thread);
    CHECK(shutdown(ends[0], SHUT_WR) == 0);
    SHOW(recv(ends[1], text, 100, MSG_WAITALL));
    SHOW(recv(ends[1], text, 100, MSG_WAITALL));
    close_pair(ends);
  }
  return success();
}
