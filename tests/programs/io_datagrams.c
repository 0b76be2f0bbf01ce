// Datagrams keep their borders and senders: recvfrom, MSG_TRUNC, recvmmsg for several, its timeout, empty datagrams.
#include "pairs.h"

static int here, there;
static void* several(void* argument) {
  char texts[4][10];
  struct iovec vectors[4];
  struct mmsghdr messages[4];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < 4; i++) {
    vectors[i] = (struct iovec){texts[i], 10};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  int got = recvmmsg(here, messages, 4, argument ? MSG_WAITFORONE : 0, NULL);
  CHECK(argument ? got >= 1 : got == 4);
  for (int i = 0; i < got; i++) CHECK(messages[i].msg_len == 5);
  return (void*)(intptr_t)got;
}
static void* from_whom(void* argument) {
  char text[100];
  struct sockaddr_in from, expected;
  socklen_t length = sizeof from;
  ssize_t got = recvfrom(here, text, sizeof text, 0, (struct sockaddr*)&from, &length);
  printf("recvfrom: %zd, address of %u bytes\n", got, length);
  name_of(there, &expected);
  CHECK(from.sin_port == expected.sin_port && from.sin_addr.s_addr == expected.sin_addr.s_addr);
  return argument;
}
static void* drain(void* argument) {
  char text[10];
  for (intptr_t i = 0; i < (intptr_t)argument; i++) CHECK(recv(here, text, sizeof text, 0) == 5);
  return NULL;
}

int main(void) {
  here = loopback(SOCK_DGRAM);
  there = loopback(SOCK_DGRAM);
  struct sockaddr_in address;
  socklen_t length = name_of(here, &address);
  pthread_t thread = start_thread(from_whom, NULL);
  let_others_run();
  CHECK(sendto(there, "12345", 5, 0, (struct sockaddr*)&address, length) == 5);
  join_thread(thread);
  CHECK(connect(there, (struct sockaddr*)&address, length) == 0);

  thread = start_thread(several, NULL);
  for (int i = 0; i < 4; i++) {
    let_others_run();
    CHECK(send(there, "abcde", 5, 0) == 5);
  }
  printf("recvmmsg: %ld\n", (long)(intptr_t)join_thread(thread));
  thread = start_thread(several, (void*)1);
  let_others_run();
  CHECK(send(there, "abcde", 5, 0) == 5);
  printf("recvmmsg, MSG_WAITFORONE: %ld\n", (long)(intptr_t)join_thread(thread));

  char text[10] = "";
  CHECK(send(there, "a long datagram", 15, 0) == 15);
  SHOW(recv(here, text, 4, MSG_PEEK));
  SHOW(recv(here, text, 4, MSG_TRUNC));
  CHECK(send(there, "", 0, 0) == 0 && send(there, "next", 4, 0) == 4);
  SHOW(recv(here, text, sizeof text, 0));
  SHOW(recv(here, text, sizeof text, 0));
  struct iovec vector = {text, 10};
  struct mmsghdr message = {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}};
  SHOW(recvmmsg(here, &message, 1, MSG_DONTWAIT, NULL));

  int gone = connected(SOCK_DGRAM, there);  // nobody listens any more: the error arrives later
  close(there);
  CHECK(send(gone, "x", 1, 0) == 1);
  SHOW(recv(gone, text, 1, 0));

  int sockets[2];  // a full queue of UNIX datagrams blocks the sender until there is room
  CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets) == 0);
  intptr_t sent = 0;
  while (send(sockets[0], "abcde", 5, MSG_DONTWAIT) == 5) sent++;
  printf("full: %s\n", errno_name(errno));
  here = sockets[1];
  thread = start_thread(drain, (void*)(sent + 100));
  for (int i = 0; i < 100; i++) CHECK(send(sockets[0], "abcde", 5, 0) == 5);
  join_thread(thread);
  return success();
}
