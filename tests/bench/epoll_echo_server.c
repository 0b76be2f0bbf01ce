// The floor that the echo benchmark compares with: the same service written by hand on one thread and one epoll.
//
//   epoll_echo_server [PORT]
//
// Per request: one recv, one send and a share of an epoll_wait. Edge-triggered, without the second recv that would say
// EAGAIN: a read shorter than the buffer has emptied the socket, and what comes later is a new edge. The replies of one
// connection never overtake each other, because an unsent rest stops its reading.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { buffer_size = 4096, batch = 512 };

struct rest {  // What a full socket buffer left unsent; allocated for the rare connection that needs it.
  size_t size, sent;
  char data[buffer_size];
};

static struct rest** rests;  // by descriptor
static int poller;

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static void finish(int fd) {
  free(rests[fd]);
  rests[fd] = NULL;
  close(fd);
}

/// Sends what is left over on `fd`; returns 1 when nothing is, 0 when the socket is full, -1 when it is broken.
static int flush_rest(int fd) {
  struct rest* rest = rests[fd];
  while (rest->sent < rest->size) {
    ssize_t sent = send(fd, rest->data + rest->sent, rest->size - rest->sent, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN ? 0 : -1;
    rest->sent += (size_t)sent;
  }
  free(rest);
  rests[fd] = NULL;
  return 1;
}

/// Sends `data` or keeps what the socket does not take; returns as flush_rest does.
static int send_or_keep(int fd, const char* data, size_t size) {
  ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
  if (sent == (ssize_t)size) return 1;
  if (sent < 0 && errno != EAGAIN) return -1;
  struct rest* rest = malloc(sizeof *rest);
  if (rest == NULL) return -1;
  size_t done = sent < 0 ? 0 : (size_t)sent;
  rest->size = size - done;
  rest->sent = 0;
  memcpy(rest->data, data + done, rest->size);
  rests[fd] = rest;
  return flush_rest(fd);  // again: room may have come, and its edge gone, before the rest was kept
}

/// Echoes what there is; returns -1 when the connection is over.
static int serve(int fd, uint32_t events) {
  static char buffer[buffer_size];
  if (rests[fd] != NULL) {
    int flushed = flush_rest(fd);
    if (flushed <= 0) return flushed;
    events |= EPOLLIN;  // it was not read while it could not be written
  }
  if ((events & ~(uint32_t)EPOLLOUT) == 0) return 0;
  for (;;) {
    ssize_t received = recv(fd, buffer, sizeof buffer, 0);
    if (received < 0 && errno == EAGAIN) return 0;
    if (received <= 0) return -1;
    int sent = send_or_keep(fd, buffer, (size_t)received);
    if (sent <= 0) return sent;
    // A short read emptied the socket, except that a closing peer is not announced twice.
    if (received < buffer_size && (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0) return 0;
  }
}

static void accept_all(int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) {
      if (errno == EAGAIN) return;
      if (errno == EINTR || errno == ECONNABORTED) continue;
      fail("accept");
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
  }
}

int main(int argc, char** argv) {
  int port = argc > 1 ? atoi(argv[1]) : 0;
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) < 0) fail("getrlimit");
  if (files.rlim_cur == RLIM_INFINITY || files.rlim_cur > 1 << 20) files.rlim_cur = 1 << 20;
  if (setrlimit(RLIMIT_NOFILE, &files) < 0) fail("setrlimit");
  rests = calloc(files.rlim_cur, sizeof(struct rest*));
  if (rests == NULL) fail("calloc");

  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (listener < 0) fail("socket");
  int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) < 0) fail("bind");
  if (listen(listener, 4096) < 0) fail("listen");
  socklen_t length = sizeof address;
  if (getsockname(listener, (struct sockaddr*)&address, &length) < 0) fail("getsockname");
  printf("listening %d\n", ntohs(address.sin_port));
  fflush(stdout);

  poller = epoll_create1(0);
  if (poller < 0) fail("epoll_create1");
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) < 0) fail("epoll_ctl");
  for (;;) {
    struct epoll_event events[batch];
    int ready = epoll_wait(poller, events, batch, -1);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < ready; ++i) {
      if (events[i].data.fd == listener) accept_all(listener);
      else if (serve(events[i].data.fd, events[i].events) < 0) finish(events[i].data.fd);
    }
  }
}
