// What lock, trylock and unlock answer for each type of mutex, to the owner and to another thread.
#include "check.h"

static void* try_it(void* mutex) { return (void*)(intptr_t)pthread_mutex_trylock(mutex); }
static void* unlock_it(void* mutex) { return (void*)(intptr_t)pthread_mutex_unlock(mutex); }
static const char* by_another(void* (*what)(void*), pthread_mutex_t* mutex) {
  return errno_name((int)(intptr_t)join_thread(start_thread(what, mutex)));
}

int main(void) {
  const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP};
  const char* const names[] = {"normal", "recursive", "errorcheck", "adaptive"};
  for (int i = 0; i < 4; i++) {
    pthread_mutexattr_t attributes;
    pthread_mutex_t mutex;
    pthread_mutexattr_init(&attributes);
    CHECK(pthread_mutexattr_settype(&attributes, types[i]) == 0);
    CHECK(pthread_mutex_init(&mutex, &attributes) == 0);
    printf("-- %s\n", names[i]);
    SHOW_ERROR(pthread_mutex_lock(&mutex));
    printf("another's trylock: %s\n", by_another(try_it, &mutex));
    SHOW_ERROR(pthread_mutex_trylock(&mutex));
    if (types[i] == PTHREAD_MUTEX_RECURSIVE) {
      SHOW_ERROR(pthread_mutex_lock(&mutex));
      SHOW_ERROR(pthread_mutex_unlock(&mutex));
      SHOW_ERROR(pthread_mutex_unlock(&mutex));
    }
    if (types[i] == PTHREAD_MUTEX_ERRORCHECK) SHOW_ERROR(pthread_mutex_lock(&mutex));
    if (types[i] == PTHREAD_MUTEX_RECURSIVE || types[i] == PTHREAD_MUTEX_ERRORCHECK)
      printf("another's unlock: %s\n", by_another(unlock_it, &mutex));
    SHOW_ERROR(pthread_mutex_destroy(&mutex));
    SHOW_ERROR(pthread_mutex_unlock(&mutex));
    if (types[i] == PTHREAD_MUTEX_RECURSIVE || types[i] == PTHREAD_MUTEX_ERRORCHECK)
      SHOW_ERROR(pthread_mutex_unlock(&mutex));
    printf("another's trylock of a free one: %s\n", by_another(try_it, &mutex));
  }
  return success();
}
