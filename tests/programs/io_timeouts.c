// SO_RCVTIMEO and SO_SNDTIMEO: EAGAIN or a partial count when the time is over, on every call; zero means none.
#include "pairs.h"
#include <sys/time.h>
#include <sys/uio.h>

static void set(int fd, int option, long milliseconds) {
  struct timeval time = {milliseconds / 1000, milliseconds % 1000 * 1000}, back;
  socklen_t length = sizeof back;
  CHECK(setsockopt(fd, SOL_SOCKET, option, &time, sizeof time) == 0);
  CHECK(getsockopt(fd, SOL_SOCKET, option, &back, &length) == 0);
  CHECK(back.tv_sec == time.tv_sec && labs(back.tv_usec - time.tv_usec) < 4000);
}
static void* send_late(void* argument) {
  for (int i = 0; i < 20; i++) let_others_run();
  CHECK(send((int)(intptr_t)argument, "late", 4, 0) == 4);
  return NULL;
}
static void* look(void* argument) {
  char text[10];
  struct iovec vector = {text, 10};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  struct mmsghdr several = {.msg_hdr = message};
  for (int kind = 0; kind < KINDS; kind++) {
    int ends[2];
    make_pair(kind, ends);
    printf("-- %s\n", kind_names[kind]);
    set(ends[0], SO_RCVTIMEO, 60);
    double began = seconds_now();
    SHOW(recv(ends[0], text, 10, 0));
    CHECK_TOOK(began, 60);
    began = seconds_now();
    SHOW(read(ends[0], text, 10));
    CHECK_TOOK(began, 60);
    set(ends[0], SO_RCVTIMEO, 20);
    SHOW(readv(ends[0], &vector, 1));
    SHOW(recvfrom(ends[0], text, 10, 0, NULL, NULL));
    SHOW(recvmsg(ends[0], &message, 0));
    SHOW(recvmmsg(ends[0], &several, 1, 0, NULL));
    if (kind == TCP || kind == UNIX_STREAM) {
      CHECK(send(ends[1], "abc", 3, 0) == 3);
      SHOW(recv(ends[0], text, 10, MSG_WAITALL));  // the time is over: what there is
    }
    set(ends[0], SO_RCVTIMEO, 0);
    pthread_t thread = start_thread(send_late, (void*)(intptr_t)ends[1]);
    SHOW(recv(ends[0], text, 10, 0));
    join_thread(thread);
    close_pair(ends);
  }
  int listener = tcp_listener(5);
  set(listener, SO_RCVTIMEO, 50);
  double began = seconds_now();
  SHOW(accept(listener, NULL, NULL));
  CHECK_TOOK(began, 50);
  SHOW(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
  return argument;
}
static void* look_sending(void* argument) {
  static char large[8 << 20];
  const int kinds[] = {TCP, UNIX_STREAM};
  for (int i = 0; i < 2; i++) {
    int ends[2];
    make_pair(kinds[i], ends);
    set(ends[0], SO_SNDTIMEO, 60);
    double began = seconds_now();
    ssize_t sent = send(ends[0], large, sizeof large, 0);
    printf("%s: %s\n", kind_names[kinds[i]], sent > 0 && sent < (ssize_t)sizeof large ? "partial" : "not partial");
    CHECK_TOOK(began, 60);
    while (send(ends[0], large, sizeof large, MSG_DONTWAIT) > 0) continue;
    began = seconds_now();
    SHOW(send(ends[0], large, sizeof large, 0));
    SHOW(write(ends[0], large, 100000));
    CHECK_TOOK(began, 120);
    close_pair(ends);
  }
  return argument;
}

int main(void) {
  pthread_t one = start_thread(look, NULL);
  join_thread(one);
  one = start_thread(look_sending, NULL);
  join_thread(one);
  return success();
}
