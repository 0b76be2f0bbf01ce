// What N parked threads cost: memory each, and how many kernel tasks and mappings the process has.   parked [N]
// Prints  threads=N rss=BYTES_EACH page_tables=BYTES_EACH tasks=N mappings=N create_us=EACH release_us=EACH
#include "bench.h"
#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER, arrived = PTHREAD_COND_INITIALIZER;
static long parked, wanted;
static int release;

static void* park(void* argument) {
  pthread_mutex_lock(&mutex);
  if (++parked == wanted) pthread_cond_signal(&arrived);
  while (!release) pthread_cond_wait(&released, &mutex);
  pthread_mutex_unlock(&mutex);
  return argument;
}

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
  wanted = argc > 1 ? atol(argv[1]) : 10000;
  pthread_t* threads = calloc((size_t)wanted, sizeof *threads);
  if (threads == NULL) return 1;
  memset(threads, 1, (size_t)wanted * sizeof *threads);  // so that these pages are not counted with the threads
  status("VmRSS:");
  long memory_before = status("VmRSS:"), tables_before = status("VmPTE:");
  int64_t start = now_ns();
  for (long i = 0; i < wanted; ++i) {
    int error = pthread_create(&threads[i], NULL, park, NULL);
    if (error != 0) fprintf(stderr, "after %ld threads: ", i);
    check(error, "pthread_create");
  }
  pthread_mutex_lock(&mutex);
  while (parked < wanted) pthread_cond_wait(&arrived, &mutex);
  int64_t created = now_ns();
  long memory = status("VmRSS:") - memory_before, tables = status("VmPTE:") - tables_before;
  long tasks = status("Threads:"), maps = mappings();
  int64_t releasing = now_ns();
  release = 1;
  pthread_cond_broadcast(&released);
  pthread_mutex_unlock(&mutex);
  for (long i = 0; i < wanted; ++i) check(pthread_join(threads[i], NULL), "pthread_join");
  double each = (double)wanted;
  printf("threads=%ld rss=%.0f page_tables=%.0f tasks=%ld mappings=%ld create_us=%.2f release_us=%.2f\n", wanted,
         (double)memory * 1024 / each, (double)tables * 1024 / each, tasks, maps, (double)(created - start) / 1e3 / each,
         (double)(now_ns() - releasing) / 1e3 / each);
}
