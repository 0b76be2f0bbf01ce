/// Ends of connections for the I/O programs.
#pragma once
#include "check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

static inline socklen_t name_of(int fd, struct sockaddr_in* address) {
  socklen_t length = sizeof *address;
  CHECK(getsockname(fd, (struct sockaddr*)address, &length) == 0);
  return length;
}

/// A bound socket on a free port of the loopback interface.
static inline int loopback(int type) {
  int fd = socket(AF_INET, type, 0);
  CHECK(fd >= 0);
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(bind(fd, (struct sockaddr*)&address, sizeof address) == 0);
  return fd;
}

static inline int tcp_listener(int backlog) {
  int fd = loopback(SOCK_STREAM);
  CHECK(listen(fd, backlog) == 0);
  return fd;
}

/// A socket of `type` connected to the one bound as `to`.
static inline int connected(int type, int to) {
  struct sockaddr_in address;
  socklen_t length = name_of(to, &address);
  int fd = socket(AF_INET, type, 0);
  CHECK(fd >= 0);
  CHECK(connect(fd, (struct sockaddr*)&address, length) == 0);
  return fd;
}

static inline void tcp_pair(int ends[2]) {
  int listener = tcp_listener(1);
  ends[0] = connected(SOCK_STREAM, listener);
  ends[1] = accept(listener, NULL, NULL);
  CHECK(ends[1] >= 0);
  int one = 1;
  CHECK(setsockopt(ends[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
  CHECK(setsockopt(ends[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
  close(listener);
}

static inline void udp_pair(int ends[2]) {
  ends[0] = loopback(SOCK_DGRAM);
  ends[1] = loopback(SOCK_DGRAM);
  for (int i = 0; i < 2; i++) {
    struct sockaddr_in address;
    socklen_t length = name_of(ends[1 - i], &address);
    CHECK(connect(ends[i], (struct sockaddr*)&address, length) == 0);
  }
}

/// Kinds of two-way connections: both ends can read and write.
enum { TCP, UNIX_STREAM, SEQPACKET, UNIX_DATAGRAM, UDP, KINDS };
static const char* const kind_names[KINDS] = {"tcp", "unix stream", "seqpacket", "unix datagram", "udp"};

static inline void make_pair(int kind, int ends[2]) {
  if (kind == TCP) tcp_pair(ends);
  else if (kind == UDP) udp_pair(ends);
  else CHECK(socketpair(AF_UNIX, kind == UNIX_STREAM ? SOCK_STREAM : kind == SEQPACKET ? SOCK_SEQPACKET : SOCK_DGRAM,
                        0, ends) == 0);
}

static inline void close_pair(const int ends[2]) {
  close(ends[0]);
  close(ends[1]);
}
