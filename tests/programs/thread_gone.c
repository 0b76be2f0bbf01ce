// A thread that has been joined does not exist any more; scheduling that the process may not have is refused.
#include "check.h"

static void* nothing(void* argument) { return argument; }

static void* show_policy(void* argument) {
  int policy;
  struct sched_param parameters;
  SHOW_ERROR(pthread_getschedparam(pthread_self(), &policy, &parameters));
  printf("policy %d priority %d\n", policy, parameters.sched_priority);
  return argument;
}

int main(void) {
  pthread_t thread = start_thread(nothing, NULL);
  join_thread(thread);
  SHOW_ERROR(pthread_join(thread, NULL));
  SHOW_ERROR(pthread_tryjoin_np(thread, NULL));
  SHOW_ERROR(pthread_detach(thread));

  const struct {
    int policy, priority;
  } wanted[] = {{SCHED_OTHER, 0}, {SCHED_FIFO, 1}, {SCHED_RR, 99}, {SCHED_BATCH, 0}};
  for (int i = 0; i < 4; i++) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attributes, wanted[i].policy);
    const struct sched_param parameters = {.sched_priority = wanted[i].priority};
    pthread_attr_setschedparam(&attributes, &parameters);
    const int error = pthread_create(&thread, &attributes, show_policy, NULL);
    if (!error) join_thread(thread);
    printf("policy %d: %s\n", wanted[i].policy, errno_name(error));
    pthread_attr_destroy(&attributes);
  }
  return success();
}
