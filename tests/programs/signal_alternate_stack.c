// Each thread has an alternate stack of its own; handlers with SA_ONSTACK run there, whoever sent the signal; siglongjmp
// out of a handler restores the mask; a handler may change the mask that the thread goes on with.
#include "check.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { size = 64 << 10 };
static __thread char* alternate;
static __thread volatile int on_it, runs;
static __thread sigjmp_buf back;
static int within(const void* address) { return (const char*)address >= alternate && (const char*)address < alternate + size; }
static void handler(int number) {
  char here;
  CHECK(number == SIGUSR1);
  on_it = within(&here);
  stack_t now;
  CHECK(sigaltstack(NULL, &now) == 0);
  CHECK(!on_it == !(now.ss_flags & SS_ONSTACK));
  sched_yield();  // others run their handlers meanwhile
  runs++;
}
static void fault(int number, siginfo_t* info, void* context) {
  char here;
  CHECK(number == SIGSEGV && info->si_addr && context);
  on_it = within(&here);
  sched_yield();
  runs++;
  siglongjmp(back, 1);
}
static void keep_blocked(int number, siginfo_t* info, void* context) {
  CHECK(info->si_signo == number);
  sigaddset(&((ucontext_t*)context)->uc_sigmask, SIGUSR2);
}
static int blocked(int number) {
  sigset_t now;
  CHECK(pthread_sigmask(SIG_BLOCK, NULL, &now) == 0);
  return sigismember(&now, number);
}
static void* work(void* argument) {
  alternate = malloc(size);
  stack_t stack = {.ss_sp = alternate, .ss_size = size}, old;
  CHECK(sigaltstack(&stack, &old) == 0);
  CHECK(old.ss_flags == SS_DISABLE);
  for (int i = 0; i < 20; i++) {
    runs = on_it = 0;
    CHECK(raise(SIGUSR1) == 0);
    CHECK(runs == 1 && on_it);
    on_it = 0;
    CHECK(pthread_kill(pthread_self(), SIGUSR1) == 0);
    CHECK(runs == 2 && on_it);
    on_it = 0;
    if (sigsetjmp(back, 1) == 0) *(volatile char*)argument = 1;
    CHECK(runs == 3 && on_it && !blocked(SIGSEGV) && !blocked(SIGUSR1));
    sched_yield();
  }
  CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == alternate && old.ss_flags == 0);
  stack.ss_size = 100;
  CHECK(sigaltstack(&stack, NULL) == -1 && errno == ENOMEM);
  stack.ss_flags = SS_DISABLE;
  CHECK(sigaltstack(&stack, NULL) == 0);
  CHECK(raise(SIGUSR1) == 0 && !on_it);
  CHECK(raise(SIGHUP) == 0);
  CHECK(blocked(SIGUSR2));
  return NULL;
}

int main(void) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  struct sigaction segv = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  CHECK(sigaction(SIGSEGV, &segv, NULL) == 0);
  segv.sa_sigaction = keep_blocked;
  CHECK(sigaction(SIGHUP, &segv, NULL) == 0);
  char* page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  pthread_t threads[5];
  for (int i = 0; i < 5; i++) threads[i] = start_thread(work, page);
  for (int i = 0; i < 5; i++) join_thread(threads[i]);
  work(page);
  return success();
}
