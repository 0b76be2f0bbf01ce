// Thread names are per thread and can be read by others.
#include "check.h"
#include <semaphore.h>
#include <sys/prctl.h>

static sem_t named, go;
static void* work(void* argument) {
  (void)argument;
  CHECK(pthread_setname_np(pthread_self(), "worker-one") == 0);
  sem_post(&named);
  sem_wait(&go);
  char name[16] = "";
  CHECK(pthread_getname_np(pthread_self(), name, sizeof name) == 0);
  printf("inside, after a rename by main: %s\n", name);
  return NULL;
}

int main(void) {
  sem_init(&named, 0, 0);
  sem_init(&go, 0, 0);
  CHECK(pthread_setname_np(pthread_self(), "the-main") == 0);
  pthread_t thread = start_thread(work, NULL);
  sem_wait(&named);
  char name[16] = "";
  CHECK(pthread_getname_np(thread, name, sizeof name) == 0);
  printf("seen by main: %s\n", name);
  CHECK(pthread_getname_np(pthread_self(), name, sizeof name) == 0);
  printf("main: %s\n", name);
  char small[4];
  SHOW_ERROR(pthread_getname_np(thread, small, sizeof small));
  SHOW_ERROR(pthread_setname_np(thread, "a name that is too long"));
  CHECK(pthread_setname_np(thread, "renamed") == 0);
  sem_post(&go);
  join_thread(thread);
  char comm[17] = "";
  CHECK(prctl(PR_GET_NAME, comm) == 0);
  printf("prctl: %s\n", comm);
  return success();
}
