// Blocking calls found with dlsym, as ctypes, JNA and LuaJIT find them, wait like those called by name.
#include "pairs.h"
#include <dlfcn.h>

typedef ssize_t (*read_function)(int, void*, size_t);
typedef int (*sleep_function)(useconds_t);
static int ends[2];
static void* reader(void* function) {
  char byte;
  CHECK(((read_function)function)(ends[0], &byte, 1) == 1);
  return NULL;
}

int main(void) {
  make_pair(UNIX_STREAM, ends);
  void* libc = dlopen("libc.so.6", RTLD_NOW);
  CHECK(libc);
  void* functions[] = {dlsym(RTLD_DEFAULT, "read"), dlsym(RTLD_NEXT, "read"), dlsym(libc, "read"),
                       dlvsym(libc, "read", "GLIBC_2.2.5"), dlsym(dlopen(NULL, RTLD_NOW), "read")};
  for (int i = 0; i < 5; i++) {
    CHECK(functions[i]);
    pthread_t threads[3];
    for (int j = 0; j < 3; j++) threads[j] = start_thread(reader, functions[i]);
    let_others_run();
    CHECK(write(ends[1], "abc", 3) == 3);
    for (int j = 0; j < 3; j++) join_thread(threads[j]);
    printf("%d: read by three\n", i);
  }
  int (*create)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*) =
      (int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*))dlsym(libc, "pthread_create");
  pthread_t thread;
  CHECK(create(&thread, NULL, reader, functions[2]) == 0);
  let_others_run();
  CHECK(write(ends[1], "a", 1) == 1);
  int (*join)(pthread_t, void**) = (int (*)(pthread_t, void**))dlsym(libc, "pthread_join");
  CHECK(join(thread, NULL) == 0);
  sleep_function sleep_some = (sleep_function)dlsym(libc, "usleep");
  double began = seconds_now();
  CHECK(sleep_some(20000) == 0);
  CHECK_TOOK(began, 20);
  return success();
}
