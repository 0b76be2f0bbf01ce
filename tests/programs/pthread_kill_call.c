// pthread_kill runs the handler in that thread: its pthread_self, its variables; EINTR there and nowhere else.
#include "check.h"
#include <semaphore.h>
#include <signal.h>

enum { threads = 5 };
static pthread_t ids[threads];
static __thread int mine = -1;
static volatile int handled_by[threads];
static int returned[threads], gate[2];
static sem_t ready;
static void handler(int number) {
  int saved = errno;
  CHECK(number == SIGUSR1);
  for (int i = 0; i < threads; i++)
    if (pthread_equal(ids[i], pthread_self())) handled_by[i] += mine == i;
  errno = saved;
}
static void* work(void* argument) {
  mine = (int)(intptr_t)argument;
  sem_post(&ready);
  char byte;
  ssize_t got = read(gate[0], &byte, 1);
  int error = errno;
  __atomic_store_n(&returned[mine], 1, __ATOMIC_SEQ_CST);
  return (void*)(intptr_t)(got == -1 ? error : 0);
}
static void* self_kill(void* argument) {
  mine = 0;
  ids[0] = pthread_self();
  int before = handled_by[0];
  CHECK(raise(SIGUSR1) == 0);  // handled before it returns
  CHECK(handled_by[0] == before + 1);
  CHECK(pthread_kill(pthread_self(), SIGUSR1) == 0);
  CHECK(handled_by[0] == before + 2);
  return argument;
}

int main(void) {
  struct sigaction action = {.sa_handler = handler};
  sigaction(SIGUSR1, &action, NULL);
  CHECK(pipe(gate) == 0);
  sem_init(&ready, 0, 0);
  for (intptr_t i = 0; i < threads; i++) ids[i] = start_thread(work, (void*)i);
  for (int i = 0; i < threads; i++) sem_wait(&ready);
  SHOW_ERROR(pthread_kill(ids[3], 0));
  SHOW_ERROR(pthread_kill(ids[3], 1000));
  while (!__atomic_load_n(&returned[3], __ATOMIC_SEQ_CST)) {
    CHECK(pthread_kill(ids[3], SIGUSR1) == 0);
    let_others_run();
  }
  printf("the third: %s\n", errno_name((int)(intptr_t)join_thread(ids[3])));
  for (int i = 0; i < threads; i++) printf("%d handled: %d, returned: %d\n", i, handled_by[i] > 0, returned[i]);
  CHECK(write(gate[1], "abcd", 4) == 4);
  for (int i = 0; i < threads; i++)
    if (i != 3) printf("%d: %s\n", i, errno_name((int)(intptr_t)join_thread(ids[i])));
  join_thread(start_thread(self_kill, NULL));
  return success();
}
