// Many threads open and close a library at once, whose constructor and destructor block and start a thread: the loader's
// lock, which libc takes and gives back inside itself, is passed on to all who wait for it.
#include "check.h"
#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>

static char path[PATH_MAX + 20];
static void* open_and_close(void* argument) {
  int sum = 0;
  for (int i = 0; i < 5; i++) {
    void* library = dlopen(path, RTLD_NOW);
    CHECK(library != NULL);
    int (*value)(void) = (int (*)(void))dlsym(library, "plugin_threads_value");
    CHECK(value != NULL);
    sum += value();
    if (i % 2) sched_yield();
    CHECK(dlclose(library) == 0);
  }
  CHECK(sum == 5 * 17);
  return argument;
}

int main(void) {
  ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
  CHECK(length > 0);
  strcpy(path, dirname(path));
  strcat(path, "/plugin_threads.so");
  pthread_t threads[30];
  for (intptr_t i = 0; i < 30; i++) threads[i] = start_thread(open_and_close, (void*)i);
  for (intptr_t i = 0; i < 30; i++) CHECK((intptr_t)join_thread(threads[i]) == i);
  return success();
}
