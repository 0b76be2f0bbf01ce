// Several threads blocked in accept on one listener: each connection is served once, by whichever.
#include "pairs.h"

enum { servers = 8, clients = 60 };
static int listener, served;
static void* serve(void* argument) {
  for (;;) {
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    int fd = argument ? accept4(listener, (struct sockaddr*)&peer, &length, SOCK_CLOEXEC)
                      : accept(listener, (struct sockaddr*)&peer, &length);
    if (fd < 0) return (void*)(intptr_t)errno;
    CHECK(length == sizeof peer && peer.sin_family == AF_INET);
    CHECK(fcntl(fd, F_GETFD) == (argument ? FD_CLOEXEC : 0) && (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0);
    char byte;
    while (read(fd, &byte, 1) == 1) CHECK(write(fd, &byte, 1) == 1);
    close(fd);
    __atomic_add_fetch(&served, 1, __ATOMIC_SEQ_CST);
  }
}
static void* client(void* argument) {
  int fd = connected(SOCK_STREAM, listener);
  for (int i = 0; i < 20; i++) {
    char sent = (char)i, back = -1;
    CHECK(write(fd, &sent, 1) == 1 && read(fd, &back, 1) == 1 && sent == back);
  }
  close(fd);
  return argument;
}

int main(void) {
  listener = tcp_listener(100);
  pthread_t in[servers], out[clients];
  for (intptr_t i = 0; i < servers; i++) in[i] = start_thread(serve, (void*)(i % 2));
  let_others_run();
  for (int i = 0; i < clients; i++) out[i] = start_thread(client, NULL);
  for (int i = 0; i < clients; i++) join_thread(out[i]);
  CHECK(shutdown(listener, SHUT_RDWR) == 0);  // wakes all of them
  for (int i = 0; i < servers; i++) CHECK((intptr_t)join_thread(in[i]) == EINVAL);
  printf("served %d\n", served);
  return success();
}
