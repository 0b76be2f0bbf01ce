// µs from posix_spawn to waitpid for /bin/true, plainly and with a library preloaded, in turns; medians.
//   startup LIBRARY [TIMES]      prints  plain=US preloaded=US
#include "bench.h"
#include <spawn.h>
#include <sys/wait.h>

extern char** environ;

static double spawn_true(char** environment) {
  char* arguments[] = {"/bin/true", NULL};
  pid_t child;
  int64_t start = now_ns();
  check(posix_spawn(&child, arguments[0], NULL, NULL, arguments, environment), "posix_spawn");
  int status;
  if (waitpid(child, &status, 0) != child || status != 0) {
    fprintf(stderr, "/bin/true failed: status %#x\n", (unsigned)status);
    exit(1);
  }
  return (double)(now_ns() - start) / 1e3;
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  size_t times = argc > 2 ? strtoul(argv[2], NULL, 10) : 200, count = 0;
  while (environ[count] != NULL) ++count;
  char** preloaded = calloc(count + 2, sizeof *preloaded);
  double *without = calloc(times, sizeof *without), *with = calloc(times, sizeof *with);
  char variable[4096 + 16];
  if (preloaded == NULL || without == NULL || with == NULL) return 1;
  memcpy(preloaded, environ, count * sizeof *preloaded);
  snprintf(variable, sizeof variable, "LD_PRELOAD=%s", argv[1]);
  preloaded[count] = variable;
  for (size_t i = 0; i < times; ++i) {
    without[i] = spawn_true(environ);
    with[i] = spawn_true(preloaded);
  }
  printf("plain=%.1f preloaded=%.1f\n", median(without, times), median(with, times));
}
