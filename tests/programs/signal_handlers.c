// Handlers that post semaphores, write to pipes and jump; alarm; SA_SIGINFO; SIGSEGV caught and left by siglongjmp.
#include "check.h"
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

static sem_t semaphore;
static int pipes[2];
static void post(int number) {
  CHECK(number == SIGUSR1);
  sem_post(&semaphore);
}
static void self_pipe(int number) {
  int saved = errno;
  char byte = (char)number;
  CHECK(write(pipes[1], &byte, 1) == 1);
  errno = saved;
}
static void* wait_for_posts(void* argument) {
  for (int i = 0; i < 20; i++)
    while (sem_wait(&semaphore) == -1) CHECK(errno == EINTR);
  return argument;
}
static void* read_pipe(void* argument) {
  char byte;
  ssize_t got;
  while ((got = read(pipes[0], &byte, 1)) == -1) CHECK(errno == EINTR);
  CHECK(got == 1 && argument == NULL);
  return (void*)(intptr_t)byte;
}
static __thread sigjmp_buf back;
static void fault(int number, siginfo_t* info, void* context) {
  CHECK(context != NULL);
  siglongjmp(back, number == SIGSEGV && info->si_code == SEGV_ACCERR ? 1 : 2);
}
static void* faulting(void* argument) {
  for (volatile int i = 0; i < 10; i++) {
    int value = sigsetjmp(back, 1);
    if (value == 0) *(volatile char*)argument = 1;
    CHECK(value == 1);
    sched_yield();
  }
  return NULL;
}

int main(void) {
  sem_init(&semaphore, 0, 0);
  CHECK(pipe(pipes) == 0);
  struct sigaction action = {.sa_handler = post};
  sigaction(SIGUSR1, &action, NULL);
  pthread_t thread = start_thread(wait_for_posts, NULL);
  for (int i = 0; i < 20; i++) {
    CHECK(kill(getpid(), SIGUSR1) == 0);
    let_others_run();
  }
  for (int value = 0; pthread_tryjoin_np(thread, NULL) == EBUSY && value < 100000; value++) {
    kill(getpid(), SIGUSR1);  // several signals may have become one
    let_others_run();
  }
  puts("posted by the handler");

  action.sa_handler = self_pipe;
  sigaction(SIGALRM, &action, NULL);
  thread = start_thread(read_pipe, NULL);
  CHECK(alarm(1) == 0);
  double began = seconds_now();
  printf("alarm: %d\n", (intptr_t)join_thread(thread) == SIGALRM);
  CHECK_TOOK(began, 990);

  struct sigaction segv = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &segv, NULL);
  char* page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  pthread_t threads[5];
  for (int i = 0; i < 5; i++) threads[i] = start_thread(faulting, page);
  for (int i = 0; i < 5; i++) join_thread(threads[i]);
  faulting(page);
  puts("faults left by siglongjmp");
  return success();
}
