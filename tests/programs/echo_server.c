// A TCP echo server with one thread per connection, as people write them: blocking calls only, and nothing known of guv.
//
//   echo_server [PORT] [--stack BYTES]      PORT 0 (the default) takes any free port; "listening PORT" says which
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static int send_all(int fd, const char* data, size_t size) {
  while (size > 0) {
    ssize_t sent = send(fd, data, size, 0);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return -1;
    data += sent;
    size -= (size_t)sent;
  }
  return 0;
}

static void* serve(void* argument) {
  int fd = (int)(intptr_t)argument;
  char buffer[4096];
  for (;;) {
    ssize_t received = recv(fd, buffer, sizeof buffer, 0);
    if (received < 0 && errno == EINTR) continue;
    if (received <= 0 || send_all(fd, buffer, (size_t)received) < 0) break;
  }
  close(fd);
  return NULL;
}

static int listen_on(int port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) fail("socket");
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, (struct sockaddr*)&address, sizeof address) < 0) fail("bind");
  if (listen(fd, 4096) < 0) fail("listen");
  socklen_t length = sizeof address;
  if (getsockname(fd, (struct sockaddr*)&address, &length) < 0) fail("getsockname");
  printf("listening %d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

static int usage(void) {
  fprintf(stderr, "usage: echo_server [PORT] [--stack BYTES]\n");
  return 2;
}

int main(int argc, char** argv) {
  int port = 0;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "--stack") == 0 && i + 1 < argc) {
      if (pthread_attr_setstacksize(&attributes, strtoul(argv[++i], NULL, 0)) != 0) return usage();
    } else if (argv[i][0] >= '0' && argv[i][0] <= '9') {
      port = atoi(argv[i]);
    } else {
      return usage();
    }
  }
  signal(SIGPIPE, SIG_IGN);

  int listener = listen_on(port);
  int refused = 0;
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      fail("accept");
    }
    pthread_t thread;
    int error = pthread_create(&thread, &attributes, serve, (void*)(intptr_t)fd);
    if (error != 0) {
      // Out of threads is not out of business: this connection is turned away, the others go on.
      if (refused++ == 0) fprintf(stderr, "pthread_create: %s\n", strerror(error));
      close(fd);
    }
  }
}
