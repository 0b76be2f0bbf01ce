// O_NONBLOCK never shows: not while another thread blocks on the fd, not in a process that shares it, not afterwards.
#include "pairs.h"
#include <sys/wait.h>

static int ends[2], listener;
static int finished;
static void* reader(void* argument) {
  char byte;
  CHECK(read(ends[0], &byte, 1) == 1);
  __atomic_store_n(&finished, 1, __ATOMIC_SEQ_CST);
  return argument;
}
static void* acceptor(void* argument) {
  CHECK(accept(listener, NULL, NULL) >= 0);
  __atomic_store_n(&finished, 1, __ATOMIC_SEQ_CST);
  return argument;
}
static void watch(int fd, int rounds) {
  for (int i = 0; i < rounds; i++) {
    CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) == 0);
    sched_yield();
  }
}

int main(void) {
  for (int kind = -1; kind < KINDS; kind++) {
    if (kind < 0) {
      CHECK(pipe(ends) == 0);
    } else {
      make_pair(kind, ends);
    }
    finished = 0;
    pthread_t thread = start_thread(reader, NULL);
    watch(ends[0], 300);
    watch(ends[1], 10);
    pid_t child = fork();  // shares the descriptions and must not be disturbed either
    if (child == 0) {
      watch(ends[0], 300);
      _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(!__atomic_load_n(&finished, __ATOMIC_SEQ_CST));
    CHECK(write(ends[1], "", 1) == 1);
    join_thread(thread);
    watch(ends[0], 1);
    printf("%s: clean\n", kind < 0 ? "pipe" : kind_names[kind]);
    close_pair(ends);
  }
  finished = 0;
  listener = tcp_listener(5);
  pthread_t thread = start_thread(acceptor, NULL);
  watch(listener, 300);
  int fd = connected(SOCK_STREAM, listener);
  watch(fd, 1);
  join_thread(thread);
  watch(listener, 1);
  puts("listener: clean");
  CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);  // and what the program sets stays
  printf("set by us: %d\n", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
  printf("standard streams: %d\n", (fcntl(1, F_GETFL) & O_NONBLOCK) == 0 && (fcntl(2, F_GETFL) & O_NONBLOCK) == 0);
  return success();
}
