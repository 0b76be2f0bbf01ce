// The first thread of a program is created, and joined, by the constructor of a library that it opens.
#include "check.h"
#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>

int main(void) {
  char path[PATH_MAX + 20];
  ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
  CHECK(length > 0 && length < PATH_MAX);
  path[length] = '\0';
  strcpy(path, dirname(path));
  strcat(path, "/plugin_threads.so");
  void* library = dlopen(path, RTLD_NOW);
  if (!library) printf("%s\n", dlerror());
  CHECK(library);
  int (*value)(void) = (int (*)(void))dlsym(library, "plugin_threads_value");
  printf("the thread has set %d\n", value());
  SHOW(dlclose(library));
  return success();
}
