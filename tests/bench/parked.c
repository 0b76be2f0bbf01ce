// What N parked threads cost: memory each, and how many kernel tasks and mappings the process has.   parked [N]
// Prints  threads=N rss=BYTES_EACH page_tables=BYTES_EACH tasks=N mappings=N create_us=EACH release_us=EACH
#include "parked.h"

static long status(const char* name) {
  FILE* file = fopen("/proc/self/status", "r");
  char line[256];
  long value = -1;
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, name, strlen(name)) == 0) value = atol(line + strlen(name));
  if (file != NULL) fclose(file);
  return value;
}

static long mappings(void) {
  FILE* file = fopen("/proc/self/maps", "r");
  long lines = 0;
  for (int c; file != NULL && (c = getc(file)) != EOF;) lines += c == '\n';
  if (file != NULL) fclose(file);
  return lines;
}

int main(int argc, char** argv) {
  status("VmRSS:");
  long memory_before = status("VmRSS:"), tables_before = status("VmPTE:");
  int64_t start = now_ns();
  pthread_t* threads = park_threads(argc, argv);
  int64_t created = now_ns();
  double each = (double)wanted;
  double memory = (double)(status("VmRSS:") - memory_before) * 1024 / each - sizeof *threads;
  double tables = (double)(status("VmPTE:") - tables_before) * 1024 / each;
  long tasks = status("Threads:"), maps = mappings();
  int64_t releasing = now_ns();
  release_and_join(threads);
  printf("threads=%ld rss=%.0f page_tables=%.0f tasks=%ld mappings=%ld create_us=%.2f release_us=%.2f\n", wanted, memory,
         tables, tasks, maps, (double)(created - start) / 1e3 / each, (double)(now_ns() - releasing) / 1e3 / each);
}
