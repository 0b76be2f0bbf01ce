// Thread-local variables for C.
#include "guv/local.h"

#include <errno.h>
#include <pthread.h>

#include <memory>
#include <new>

struct guv_local {
  pthread_key_t key;
};

extern "C" {

int guv_local_new(guv_local** local, void (*destroy)(void*)) {
  std::unique_ptr<guv_local> made(new (std::nothrow) guv_local);
  if (!made) return -ENOMEM;
  if (const int error = pthread_key_create(&made->key, destroy)) return -error;
  *local = made.release();
  return 0;
}

void guv_local_free(guv_local* local) {
  if (!local) return;
  pthread_key_delete(local->key);
  delete local;
}

void* guv_local_get(const guv_local* local) { return pthread_getspecific(local->key); }
int guv_local_set(guv_local* local, void* value) { return -pthread_setspecific(local->key, value); }

}  // extern "C"
