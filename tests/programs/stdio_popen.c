// popen for reading and writing from several threads; pclose gives the status; fclose flushes into a full pipe.
#include "check.h"
#include <sys/wait.h>

static void* reading(void* argument) {
  char command[100], line[100];
  snprintf(command, sizeof command, "read x < /dev/null; echo out %d; exit %d", (int)(intptr_t)argument, (int)(intptr_t)argument);
  FILE* stream = popen(command, "r");
  CHECK(stream && fgets(line, sizeof line, stream));
  CHECK(atoi(line + 4) == (int)(intptr_t)argument);
  int status = pclose(stream);
  CHECK(WIFEXITED(status));
  return (void*)(intptr_t)WEXITSTATUS(status);
}
static void* writing(void* argument) {
  FILE* stream = popen("cat > written; exit 5", "we");
  CHECK(stream);
  for (int i = 0; i < 50000; i++) fprintf(stream, "line %d\n", i);
  int status = pclose(stream);
  CHECK(argument == NULL);
  return (void*)(intptr_t)WEXITSTATUS(status);
}
static void* drain(void* argument) {
  char block[5000];
  long total = 0;
  for (ssize_t got; (got = read((int)(intptr_t)argument, block, sizeof block)) > 0;) total += got;
  return (void*)total;
}

int main(void) {
  pthread_t threads[8], writer = start_thread(writing, NULL);
  for (intptr_t i = 0; i < 8; i++) threads[i] = start_thread(reading, (void*)i);
  for (intptr_t i = 0; i < 8; i++) CHECK((intptr_t)join_thread(threads[i]) == i);
  printf("writer's status %ld\n", (long)(intptr_t)join_thread(writer));
  FILE* written = fopen("written", "r");
  CHECK(written && fseek(written, 0, SEEK_END) == 0);
  printf("written %ld bytes\n", ftell(written));
  printf("no such command: %d\n", WEXITSTATUS(pclose(popen("exit 127", "r"))));

  int ends[2];
  CHECK(pipe(ends) == 0);
  FILE* stream = fdopen(ends[1], "w");
  static char large[1 << 20];
  setvbuf(stream, large, _IOFBF, sizeof large);
  for (int i = 0; i < (1 << 19); i++) putc('x', stream);
  pthread_t reader = start_thread(drain, (void*)(intptr_t)ends[0]);
  SHOW(fclose(stream));
  printf("drained %ld\n", (long)(intptr_t)join_thread(reader));
  return success();
}
