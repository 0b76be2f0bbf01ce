// connect to a UNIX listener whose queue is full waits for accept, or for SO_SNDTIMEO.
#include "pairs.h"
#include <sys/time.h>

static const struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "socket"};
static int connect_it(int milliseconds) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  struct timeval time = {0, milliseconds * 1000};
  CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) == 0);
  return connect(fd, (const struct sockaddr*)&name, sizeof name) == 0 ? fd : -1;
}
static void* client(void* argument) {
  int fd = connect_it(0);
  CHECK(fd >= 0 && write(fd, "hello", 5) == 5);
  return argument;
}

int main(void) {
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK(bind(listener, (const struct sockaddr*)&name, sizeof name) == 0 && listen(listener, 1) == 0);
  int queued = 0;
  while (connect_it(30) >= 0) queued++;
  printf("queued %d, then %s\n", queued, errno_name(errno));
  pthread_t threads[10];
  for (int i = 0; i < 10; i++) threads[i] = start_thread(client, NULL);
  let_others_run();
  int heard = 0;
  for (int i = 0; i < queued + 10; i++) {
    int fd = accept(listener, NULL, NULL);
    CHECK(fd >= 0);
    if (i < queued) continue;
    char text[10];
    heard += read(fd, text, sizeof text) == 5;
  }
  for (int i = 0; i < 10; i++) join_thread(threads[i]);
  printf("heard %d\n", heard);
  return success();
}
