// What pthread_getattr_np, affinity, scheduling and CPU-clock calls tell about a thread.
#include "check.h"
#include <semaphore.h>
#include <signal.h>

static sem_t go;
static void look(pthread_t thread) {
  pthread_attr_t attributes;
  CHECK(pthread_getattr_np(thread, &attributes) == 0);
  int state, scope, inherit, policy;
  size_t guard, stack;
  struct sched_param parameters;
  pthread_attr_getdetachstate(&attributes, &state);
  pthread_attr_getscope(&attributes, &scope);
  pthread_attr_getinheritsched(&attributes, &inherit);
  pthread_attr_getguardsize(&attributes, &guard);
  pthread_attr_getstacksize(&attributes, &stack);
  printf("%s, %s, inherit %d, guard %zu\n", state == PTHREAD_CREATE_JOINABLE ? "joinable" : "detached",
         scope == PTHREAD_SCOPE_SYSTEM ? "system" : "process", inherit, guard);
  CHECK(stack > 0);
  SHOW_ERROR(pthread_getschedparam(thread, &policy, &parameters));
  printf("policy %d, priority %d\n", policy, parameters.sched_priority);
  SHOW_ERROR(pthread_setschedparam(thread, SCHED_OTHER, &parameters));
  SHOW_ERROR(pthread_setschedprio(thread, 0));
  cpu_set_t cpus, again;
  SHOW_ERROR(pthread_getaffinity_np(thread, sizeof cpus, &cpus));
  CHECK(CPU_COUNT(&cpus) > 0);
  SHOW_ERROR(pthread_setaffinity_np(thread, sizeof cpus, &cpus));
  CHECK(pthread_getaffinity_np(thread, sizeof again, &again) == 0 && CPU_EQUAL(&cpus, &again));
  clockid_t clock;
  struct timespec used;
  SHOW_ERROR(pthread_getcpuclockid(thread, &clock));
  SHOW(clock_gettime(clock, &used));
}
static void* work(void* argument) {
  look(pthread_self());
  struct timespec used;
  SHOW(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used));
  sem_post(argument);
  sem_wait(&go);
  return NULL;
}

static void* say_stack(void* unused) {
  pthread_attr_t attributes;
  size_t stack = 0;
  CHECK(pthread_getattr_np(pthread_self(), &attributes) == 0);
  pthread_attr_getstacksize(&attributes, &stack);
  pthread_attr_destroy(&attributes);
  printf("stack of a new thread: %zu KiB\n", stack >> 10);
  return unused;
}

static void* say_what_was_asked_for(void* unused) {
  pthread_attr_t attributes;
  size_t guard = 0;
  cpu_set_t cpus, mine;
  CHECK(pthread_getattr_np(pthread_self(), &attributes) == 0);
  pthread_attr_getguardsize(&attributes, &guard);
  CHECK(pthread_attr_getaffinity_np(&attributes, sizeof cpus, &cpus) == 0);
  CHECK(pthread_getaffinity_np(pthread_self(), sizeof mine, &mine) == 0);
  pthread_attr_destroy(&attributes);
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, NULL, &mask);
  printf("guard %zu, affinity %s, SIGUSR1 %s\n", guard, CPU_EQUAL(&cpus, &mine) ? "as it is" : "another",
         sigismember(&mask, SIGUSR1) ? "blocked" : "not blocked");
  return unused;
}

static void ask_for_defaults(void) {
  pthread_attr_t attributes;
  CHECK(pthread_getattr_default_np(&attributes) == 0);
  CHECK(pthread_attr_setguardsize(&attributes, 8192) == 0);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  CHECK(pthread_attr_setsigmask_np(&attributes, &mask) == 0);
  SHOW_ERROR(pthread_setattr_default_np(&attributes));
  pthread_attr_destroy(&attributes);
}

static void ask_for_no_processor(void) {
  cpu_set_t none;
  CPU_ZERO(&none);
  CPU_SET(CPU_SETSIZE - 1, &none);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  CHECK(pthread_attr_setaffinity_np(&attributes, sizeof none, &none) == 0);
  pthread_t thread;
  SHOW_ERROR(pthread_create(&thread, &attributes, say_what_was_asked_for, NULL));
  pthread_attr_destroy(&attributes);
}

int main(void) {
  sem_t looked;
  sem_init(&looked, 0, 0);
  sem_init(&go, 0, 0);
  pthread_t thread = start_thread(work, &looked);
  sem_wait(&looked);
  look(thread);
  sem_post(&go);
  join_thread(thread);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  size_t stack = 0;
  CHECK(pthread_attr_setstacksize(&attributes, 300 << 10) == 0);
  SHOW_ERROR(pthread_setattr_default_np(&attributes));
  pthread_attr_t defaults;
  SHOW_ERROR(pthread_getattr_default_np(&defaults));
  pthread_attr_getstacksize(&defaults, &stack);
  printf("default stack: %zu KiB\n", stack >> 10);
  join_thread(start_thread(say_stack, NULL));
  join_thread(start_thread(say_what_was_asked_for, NULL));
  ask_for_defaults();
  join_thread(start_thread(say_what_was_asked_for, NULL));
  ask_for_no_processor();
  return success();
}
