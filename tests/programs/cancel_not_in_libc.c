// What libc reads and writes inside functions that are no cancellation points does not end a thread that is cancelled.
#include "check.h"
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <sys/mman.h>

static char step[64];

static void* uncancelled(void* argument) {
  pthread_cancel(pthread_self());

  snprintf(step, sizeof step, "fopen(3), mode c");
  FILE* file = fopen("file", "wc+");
  fputs("text", file);
  fflush(file);
  rewind(file);
  char text[8];
  CHECK(fgets(text, sizeof text, file) && strcmp(text, "text") == 0);
  fclose(file);

  snprintf(step, sizeof step, "getopt(3)");
  char* arguments[] = {"getopt", "-x", NULL};
  CHECK(getopt(2, arguments, "a") == '?');

  snprintf(step, sizeof step, "malloc_stats(3)");
  malloc_stats();

  snprintf(step, sizeof step, "shm_open(3)");
  char name[32];
  snprintf(name, sizeof name, "/guv-test-%d", getpid());
  int memory = shm_open(name, O_CREAT | O_RDWR, 0600);
  CHECK(memory >= 0);
  shm_unlink(name);

  snprintf(step, sizeof step, "close(2)");
  close(memory);
  return argument;
}

int main(void) {
  CHECK(freopen("/dev/null", "w", stderr));
  pthread_t thread = start_thread(uncancelled, NULL);
  void* result;
  CHECK(pthread_join(thread, &result) == 0);
  printf("%s in %s\n", result == PTHREAD_CANCELED ? "cancelled" : "not cancelled", step);
  return success();
}
