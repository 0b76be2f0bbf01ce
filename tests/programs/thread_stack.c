// A thread runs on the stack it was asked to run on, and pthread_getattr_np says so.
#include "check.h"
#include <sys/mman.h>

struct stack { void* low; size_t size; };
static void* look(void* argument) {
  struct stack* seen = argument;
  pthread_attr_t attributes;
  CHECK(pthread_getattr_np(pthread_self(), &attributes) == 0);
  CHECK(pthread_attr_getstack(&attributes, &seen->low, &seen->size) == 0);
  pthread_attr_destroy(&attributes);
  char local = 0;
  CHECK(&local > (char*)seen->low && &local < (char*)seen->low + seen->size);
  return NULL;
}
static void* use_most(void* argument) {  // touches nearly all of the stack asked for
  size_t bytes = (size_t)argument;
  volatile char* block = __builtin_alloca(bytes);
  for (size_t i = 0; i < bytes; i += 1024) block[i] = (char)i;
  sched_yield();
  for (size_t i = 0; i < bytes; i += 1024) CHECK(block[i] == (char)i);
  return NULL;
}

int main(void) {
  pthread_attr_t attributes;
  struct stack seen;
  pthread_t thread;
  const size_t sizes[] = {64 << 10, 256 << 10, 1 << 20, 8 << 20, 64 << 20};
  for (int i = 0; i < 5; i++) {
    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setstacksize(&attributes, sizes[i]) == 0);
    CHECK(pthread_create(&thread, &attributes, look, &seen) == 0);
    join_thread(thread);
    printf("asked for %zu KiB: %s\n", sizes[i] >> 10, seen.size >= sizes[i] - 4096 && seen.size < 2 * sizes[i] ? "got it" : "no");
    CHECK(pthread_create(&thread, &attributes, use_most, (void*)(sizes[i] - (24 << 10))) == 0);
    join_thread(thread);
  }
  const size_t size = 512 << 10;
  void* mine = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  pthread_attr_init(&attributes);
  CHECK(pthread_attr_setstack(&attributes, mine, size) == 0);
  for (int i = 0; i < 3; i++) {
    CHECK(pthread_create(&thread, &attributes, look, &seen) == 0);
    join_thread(thread);
    printf("own stack: base %s, size %zu\n", seen.low == mine ? "mine" : "other", seen.size);
  }
  munmap(mine, size);
  SHOW_ERROR(pthread_attr_setstacksize(&attributes, 1000));
  join_thread(start_thread(look, &seen));
  CHECK((uintptr_t)seen.low % (size_t)sysconf(_SC_PAGESIZE) == 0);
  printf("default: %s\n", seen.size >= (7 << 20) ? "8 MiB" : "small");
  pthread_attr_t main_attributes;  // main's own stack is known as well
  CHECK(pthread_getattr_np(pthread_self(), &main_attributes) == 0);
  CHECK(pthread_attr_getstack(&main_attributes, &seen.low, &seen.size) == 0);
  CHECK((char*)&seen > (char*)seen.low && (char*)&seen < (char*)seen.low + seen.size);
  return success();
}
