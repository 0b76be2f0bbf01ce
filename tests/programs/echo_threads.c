// A server with a thread for each of 200 connections, and a client thread for each of them, in one process.
#include "pairs.h"

enum { clients = 200, rounds = 20 };
static int listener;
static void* serve(void* argument) {
  int fd = (int)(intptr_t)argument;
  char block[4096];
  for (ssize_t got; (got = recv(fd, block, sizeof block, 0)) > 0;) CHECK(send(fd, block, (size_t)got, 0) == got);
  close(fd);
  return NULL;
}
static void* accept_all(void* argument) {
  pthread_t threads[clients];
  for (int i = 0; i < clients; i++) {
    int fd = accept(listener, NULL, NULL);
    CHECK(fd >= 0);
    threads[i] = start_thread(serve, (void*)(intptr_t)fd);
  }
  for (int i = 0; i < clients; i++) join_thread(threads[i]);
  return argument;
}
static void* client(void* argument) {
  int fd = connected(SOCK_STREAM, listener), me = (int)(intptr_t)argument;
  long sum = 0;
  for (int i = 0; i < rounds; i++) {
    char block[1000], back[1000];
    memset(block, me + i, sizeof block);
    CHECK(send(fd, block, sizeof block, 0) == sizeof block);
    CHECK(recv(fd, back, sizeof back, MSG_WAITALL) == sizeof back);
    CHECK(memcmp(block, back, sizeof back) == 0);
    sum += sizeof back;
  }
  close(fd);
  return (void*)sum;
}

int main(void) {
  listener = tcp_listener(clients);
  pthread_t acceptor = start_thread(accept_all, NULL), threads[clients];
  long sum = 0;
  for (intptr_t i = 0; i < clients; i++) threads[i] = start_thread(client, (void*)i);
  for (int i = 0; i < clients; i++) sum += (long)join_thread(threads[i]);
  join_thread(acceptor);
  printf("%ld bytes came back\n", sum);
  return success();
}
