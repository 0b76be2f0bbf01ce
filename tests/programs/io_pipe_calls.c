// read, readv, write, writev wait on pipes; FIFOs wait for the other side already when opened.
#include "pairs.h"
#include <sys/stat.h>
#include <sys/uio.h>

static int ends[2];
static void* reader(void* argument) {
  char text[20];
  struct iovec vector[2] = {{text, 2}, {text + 2, sizeof text - 2}};
  ssize_t got = argument ? readv(ends[0], vector, 2) : read(ends[0], text, sizeof text);
  CHECK(got == 5 && memcmp(text, "12345", 5) == 0);
  return NULL;
}
static void* open_for_writing(void* path) {
  int fd = open(path, O_WRONLY);
  CHECK(fd >= 0);
  let_others_run();
  CHECK(write(fd, "through the fifo", 16) == 16);
  close(fd);
  return NULL;
}
static void* count(void* argument) {
  char block[3000];
  long total = 0;
  for (ssize_t got; (got = read(ends[0], block, sizeof block)) > 0;) total += got;
  CHECK(argument == NULL);
  return (void*)total;
}

int main(void) {
  CHECK(pipe(ends) == 0);
  for (intptr_t how = 0; how < 2; how++) {
    for (int vectored = 0; vectored < 2; vectored++) {
      pthread_t thread = start_thread(reader, (void*)how);
      let_others_run();
      struct iovec vector[2] = {{(char*)"123", 3}, {(char*)"45", 2}};
      CHECK((vectored ? writev(ends[1], vector, 2) : write(ends[1], "12345", 5)) == 5);
      join_thread(thread);
    }
  }
  puts("four ways");
  pthread_t counter = start_thread(count, NULL);
  char block[5000] = "";
  struct iovec many[100];
  for (int i = 0; i < 100; i++) many[i] = (struct iovec){block, sizeof block};
  SHOW(writev(ends[1], many, 100));
  SHOW(close(ends[1]));
  printf("counted %ld\n", (long)join_thread(counter));
  close(ends[0]);

  CHECK(mkfifo("fifo", 0600) == 0);
  pthread_t writer = start_thread(open_for_writing, (void*)"fifo");
  let_others_run();
  int fd = open("fifo", O_RDONLY);
  CHECK(fd >= 0);
  char text[100];
  SHOW(read(fd, text, sizeof text));
  SHOW(read(fd, text, sizeof text));
  join_thread(writer);
  close(fd);
  SHOW(open("fifo", O_WRONLY | O_NONBLOCK));
  fd = open("fifo", O_RDWR);
  SHOW(write(fd, "self", 4));
  SHOW(read(fd, text, sizeof text));
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  printf("pipe2: %d\n", fcntl(ends[0], F_GETFD) == FD_CLOEXEC);
  return success();
}
