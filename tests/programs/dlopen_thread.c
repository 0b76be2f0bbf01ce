// Libraries opened in threads while others are parked: their initialisers, thread variables and destructors work.
#include "check.h"
#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>

static char path[PATH_MAX + 20];
static int gate[2];
static pthread_barrier_t opened;
static void* library;
static int* (*variable)(void);
static void* parked(void* argument) {  // started before the library came, looks at its variable afterwards
  pthread_barrier_wait(&opened);
  int* mine = variable();
  CHECK(*mine == 42);
  *mine = (int)(intptr_t)argument;
  char byte;
  CHECK(read(gate[0], &byte, 1) == 1);
  CHECK(mine == variable() && *mine == (int)(intptr_t)argument);
  return mine;
}
static void* open_it(void* argument) {
  void* handle = dlopen(path, RTLD_NOW);
  if (!handle) printf("%s\n", dlerror());
  CHECK(handle && dlerror() == NULL);
  return argument ? handle : NULL;
}

int main(void) {
  ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
  CHECK(length > 0);
  strcpy(path, dirname(path));
  strcat(path, "/plugin.so");
  CHECK(pipe(gate) == 0);
  pthread_barrier_init(&opened, NULL, 11);
  pthread_t threads[10];
  for (intptr_t i = 0; i < 10; i++) threads[i] = start_thread(parked, (void*)i);
  let_others_run();
  library = join_thread(start_thread(open_it, (void*)1));
  variable = (int* (*)(void))dlsym(library, "plugin_variable");
  int (*initialised)(void) = (int (*)(void))dlsym(library, "plugin_initialised");
  CHECK(variable && initialised);
  printf("initialised with %d\n", initialised());
  pthread_t openers[5];
  for (int i = 0; i < 5; i++) openers[i] = start_thread(open_it, NULL);
  for (int i = 0; i < 5; i++) join_thread(openers[i]);
  pthread_barrier_wait(&opened);
  CHECK(*variable() == 42);
  CHECK(write(gate[1], "0123456789", 10) == 10);
  void* addresses[10];
  for (int i = 0; i < 10; i++) addresses[i] = join_thread(threads[i]);
  for (int i = 0; i < 10; i++)
    for (int j = 0; j < i; j++) CHECK(addresses[i] != addresses[j]);
  printf("missing: %s\n", dlopen("no-such-library.so", RTLD_NOW) ? "found" : dlerror());
  return success();
}
