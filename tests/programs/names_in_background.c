// getaddrinfo_a looks names up in threads of libc's own; who waits for them, in gai_suspend or by GAI_WAIT, waits alone.
#include "check.h"
#include <netdb.h>
#include <signal.h>

static struct gaicb requests[] = {{.ar_name = "127.0.0.1"}, {.ar_name = "::1"}};
static struct gaicb* list[] = {&requests[0], &requests[1]};
static _Atomic int stop, turns;

static void* tick(void* argument) {
  do {
    turns++;
    sched_yield();
  } while (!stop);
  return argument;
}

static void* look_up(void* argument) {
  SHOW(getaddrinfo_a(GAI_NOWAIT, list, 2, NULL));
  for (int i = 0; i < 2; i++) {
    while (gai_error(list[i]) == EAI_INPROGRESS) {
      const int result = gai_suspend((const struct gaicb* const*)&list[i], 1, NULL);
      CHECK(result == 0 || result == EAI_ALLDONE);
    }
    printf("%s: %d\n", requests[i].ar_name, gai_error(list[i]));
  }
  printf("all done: %d\n", gai_suspend((const struct gaicb* const*)list, 2, NULL) == EAI_ALLDONE);
  SHOW(getaddrinfo_a(GAI_WAIT, list, 2, NULL));
  printf("%d %d\n", gai_error(list[0]), gai_error(list[1]));
  return argument;
}

int main(void) {
  pthread_t ticker = start_thread(tick, NULL);
  join_thread(start_thread(look_up, NULL));
  stop = 1;
  join_thread(ticker);
  CHECK(turns > 0);
  return success();
}
