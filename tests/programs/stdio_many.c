// Many threads print to one stream over a pipe that is often full: no line is torn or lost.
#include "check.h"

enum { threads = 16, lines = 400 };
static FILE* out;
static void* print(void* argument) {
  for (int i = 0; i < lines; i++)
    CHECK(fprintf(out, "thread %ld line %d of %d with some text to make it longer\n", (long)(intptr_t)argument, i, lines) > 0);
  return NULL;
}
static void* collect(void* argument) {
  FILE* in = argument;
  int next[threads] = {0};
  char* line = NULL;
  size_t room = 0;
  long count = 0;
  while (getline(&line, &room, in) > 0) {
    int thread, number;
    char rest[100];
    CHECK(sscanf(line, "thread %d line %d of 400 with %99[a-z ]", &thread, &number, rest) == 3);
    CHECK(strcmp(rest, "some text to make it longer") == 0);
    CHECK(next[thread]++ == number);
    count++;
  }
  free(line);
  return (void*)count;
}

int main(void) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  FILE* in = fdopen(ends[0], "r");
  CHECK(out = fdopen(ends[1], "w"));
  pthread_t ids[threads], collector = start_thread(collect, in);
  for (intptr_t i = 0; i < threads; i++) ids[i] = start_thread(print, (void*)i);
  for (int i = 0; i < threads; i++) join_thread(ids[i]);
  CHECK(fclose(out) == 0);
  printf("%ld lines\n", (long)(intptr_t)join_thread(collector));
  fclose(in);
  return success();
}
