// A program that loads libguv by dlopen, as other languages do: nothing is green until it says so.
#include "../programs/check.h"

#include <dlfcn.h>
#include <guv/guv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void* library;

static void* find(const char* name) {
  void* address = dlsym(library, name);
  CHECK(address != NULL);
  return address;
}

int main(int count, char** arguments) {
  CHECK(count == 3);
  library = dlopen(arguments[1], RTLD_NOW | (strcmp(arguments[2], "global") == 0 ? RTLD_GLOBAL : RTLD_LOCAL));
  CHECK(library != NULL);
  int (*is_monkey_patched)(const char*);
  int (*monkey_patch)(const char*);
  int (*start)(void);
  *(void**)&is_monkey_patched = find("guv_is_monkey_patched");
  *(void**)&monkey_patch = find("guv_monkey_patch");
  *(void**)&start = find("guv_start");

  CHECK(!is_monkey_patched("io") && !is_monkey_patched("thread") && !is_monkey_patched("sync"));
  CHECK(start() == 0);
  CHECK(!is_monkey_patched("io"));
  CHECK(monkey_patch("io") == 0);
  CHECK(is_monkey_patched("read") && !is_monkey_patched("recv"));
  return 0;
}
