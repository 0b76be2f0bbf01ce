// connect: success, refusal, a missing name, an answer that never comes, an established one, several threads at once.
#include "pairs.h"
#include <poll.h>
#include <sys/time.h>

static int listener;
static void* client(void* argument) {
  int fd = connected(SOCK_STREAM, listener);
  printf("%s", (fcntl(fd, F_GETFL) & O_NONBLOCK) ? "O_NONBLOCK was left on\n" : "");
  char byte;
  CHECK(read(fd, &byte, 1) == 1 && byte == 'x');
  close(fd);
  return argument;
}
static void* look(void* argument) {
  struct sockaddr_in address;
  int closed = loopback(SOCK_STREAM);
  socklen_t length = name_of(closed, &address);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(connect(fd, (struct sockaddr*)&address, length));
  SHOW(connect(fd, (struct sockaddr*)&address, length));
  length = name_of(listener, &address);
  SHOW(connect(fd, (struct sockaddr*)&address, length));
  SHOW(connect(fd, (struct sockaddr*)&address, length));
  printf("blocking: %d\n", (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0);
  int error = -1;
  socklen_t size = sizeof error;
  CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0);
  printf("SO_ERROR: %s\n", errno_name(error));
  SHOW(connect(listener, (struct sockaddr*)&address, length));
  SHOW(connect(1000, (struct sockaddr*)&address, length));

  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "no-such-socket"};
  int local = socket(AF_UNIX, SOCK_STREAM, 0);
  SHOW(connect(local, (struct sockaddr*)&name, sizeof name));

  int full = tcp_listener(0), other = connected(SOCK_STREAM, full);  // its queue is full: no answer comes
  length = name_of(full, &address);
  int late = socket(AF_INET, SOCK_STREAM, 0);
  struct timeval time = {0, 100000};
  CHECK(setsockopt(late, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) == 0);
  double began = seconds_now();
  SHOW(connect(late, (struct sockaddr*)&address, length));
  CHECK_TOOK(began, 100);
  SHOW(connect(late, (struct sockaddr*)&address, length));
  printf("blocking: %d\n", (fcntl(late, F_GETFL) & O_NONBLOCK) == 0);
  close(other);

  int slow = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);  // a program that does it itself
  length = name_of(listener, &address);
  CHECK(connect(slow, (struct sockaddr*)&address, length) == -1 && errno == EINPROGRESS);
  struct pollfd polled = {.fd = slow, .events = POLLOUT};
  SHOW(poll(&polled, 1, 10000));
  CHECK(getsockopt(slow, SOL_SOCKET, SO_ERROR, &error, &size) == 0);
  printf("SO_ERROR: %s\n", errno_name(error));
  return argument;
}

int main(void) {
  listener = tcp_listener(100);
  join_thread(start_thread(look, NULL));
  int skip[2] = {accept(listener, NULL, NULL), accept(listener, NULL, NULL)};
  CHECK(skip[0] >= 0 && skip[1] >= 0);
  pthread_t threads[50];
  for (int i = 0; i < 50; i++) threads[i] = start_thread(client, NULL);
  for (int i = 0; i < 50; i++) {
    int fd = accept(listener, NULL, NULL);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1);
    close(fd);
  }
  for (int i = 0; i < 50; i++) join_thread(threads[i]);
  puts("50 clients");
  return success();
}
