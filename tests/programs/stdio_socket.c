// FILE streams over sockets: fgets, getline, fscanf, fread, getc, fprintf, fwrite, fflush, end of file.
#include "pairs.h"

static void* server(void* argument) {
  FILE* stream = fdopen((int)(intptr_t)argument, "r+");
  CHECK(stream);
  char line[100], word[20], block[10000];
  char* got = NULL;
  size_t room = 0;
  int number;
  CHECK(fgets(line, sizeof line, stream));
  printf("fgets: %s", line);
  CHECK(getline(&got, &room, stream) > 0);
  printf("getline: %s", got);
  free(got);
  CHECK(fscanf(stream, "%19s %d", word, &number) == 2);
  printf("fscanf: %s %d\n", word, number);
  printf("getc: %d\n", getc(stream));
  size_t read = fread(block, 1, sizeof block, stream);
  long sum = 0;
  for (size_t i = 0; i < read; i++) sum += block[i];
  printf("fread: %zu, sum %ld\n", read, sum);
  fprintf(stream, "answer %d\n", 42);
  CHECK(fflush(stream) == 0);
  printf("at the end: %s, feof %d\n", fgets(line, sizeof line, stream) ? line : "NULL", feof(stream) != 0);
  CHECK(fclose(stream) == 0);
  return NULL;
}

int main(void) {
  const int kinds[] = {TCP, UNIX_STREAM};
  for (int i = 0; i < 2; i++) {
    int ends[2];
    make_pair(kinds[i], ends);
    printf("-- %s\n", kind_names[kinds[i]]);
    pthread_t thread = start_thread(server, (void*)(intptr_t)ends[1]);
    FILE* stream = fdopen(dup(ends[0]), "w");
    const char text[] = "first line\nsecond line\nword 123\n";
    for (const char* at = text; *at; at++) {  // in pieces, so that it blocks in the middle of everything
      CHECK(fputc(*at, stream) != EOF && fflush(stream) == 0);
      sched_yield();
    }
    char block[10000];
    memset(block, 1, sizeof block);
    for (int j = 0; j < 4; j++) CHECK(fwrite(block + j * 2500, 1, 2500, stream) == 2500 && fflush(stream) == 0);
    FILE* in = fdopen(ends[0], "r");
    char line[100];
    CHECK(fgets(line, sizeof line, in));
    printf("client: %s", line);
    fclose(stream);
    CHECK(shutdown(ends[0], SHUT_WR) == 0);
    join_thread(thread);
    CHECK(fgets(line, sizeof line, in) == NULL && feof(in));
    fclose(in);
  }
  return success();
}
