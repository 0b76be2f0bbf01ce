// C11 threads: thrd_, mtx_, cnd_, tss_, call_once.
#include "check.h"
#include <threads.h>

static mtx_t mutex;
static cnd_t changed;
static tss_t key;
static once_flag flag = ONCE_FLAG_INIT;
static int turn, initialised, destroyed;
static thread_local int mine = 3;
static void initialise(void) {
  thrd_yield();
  initialised++;
}
static void gone(void* value) { destroyed += *(int*)value; }

static int work(void* argument) {
  int me = *(int*)argument;
  call_once(&flag, initialise);
  CHECK(initialised == 1 && mine == 3);
  mine = me;
  CHECK(tss_set(key, argument) == thrd_success);
  mtx_lock(&mutex);
  while (turn != me) cnd_wait(&changed, &mutex);
  turn++;
  cnd_broadcast(&changed);
  mtx_unlock(&mutex);
  CHECK(mine == me && tss_get(key) == argument);
  if (me % 2) thrd_exit(me * 10);
  return me * 10;
}

int main(void) {
  CHECK(mtx_init(&mutex, mtx_timed | mtx_recursive) == thrd_success);
  CHECK(cnd_init(&changed) == thrd_success);
  CHECK(tss_create(&key, gone) == thrd_success);
  thrd_t threads[10];
  int numbers[10], sum = 0;
  for (int i = 9; i >= 0; i--) {
    numbers[i] = i;
    CHECK(thrd_create(&threads[i], work, &numbers[i]) == thrd_success);
  }
  for (int i = 0; i < 10; i++) {
    int result;
    CHECK(thrd_join(threads[i], &result) == thrd_success);
    sum += result;
  }
  printf("sum %d, destroyed %d, turn %d\n", sum, destroyed, turn);
  CHECK(mtx_lock(&mutex) == thrd_success && mtx_trylock(&mutex) == thrd_success);
  mtx_unlock(&mutex);
  struct timespec until;
  timespec_get(&until, TIME_UTC);
  until.tv_sec++;
  until.tv_nsec = 0;
  printf("cnd_timedwait: %d\n", cnd_timedwait(&changed, &mutex, &until) == thrd_timedout);
  mtx_unlock(&mutex);
  mtx_t busy;
  mtx_init(&busy, mtx_plain);
  mtx_lock(&busy);
  printf("trylock: %d\n", mtx_trylock(&busy) == thrd_busy);
  printf("sleep: %d\n", thrd_sleep(&(struct timespec){0, 1000000}, NULL));
  printf("equal: %d\n", thrd_equal(thrd_current(), thrd_current()) != 0);
  CHECK(thrd_create(&threads[0], work, &numbers[0]) == thrd_success);
  mtx_lock(&mutex);
  turn = 0;
  cnd_broadcast(&changed);
  mtx_unlock(&mutex);
  CHECK(thrd_detach(threads[0]) == thrd_success);
  return success();
}
