// The program's own SIGSEGV handler, on the thread's own alternate stack, sees the overflow.
#include "check.h"
#include <signal.h>

static void handler(int number, siginfo_t* info, void* context) {
  (void)context;
  dprintf(1, "handler: signal %s, fault %s\nEXIT-SUCCESS\n", number == SIGSEGV ? "SIGSEGV" : "other",
          info->si_addr ? "address known" : "address unknown");
  _exit(4);
}
static int recurse(int depth) {
  volatile char block[512];
  block[0] = (char)depth;
  return recurse(depth + 1) + block[0];
}
static void* work(void* argument) {
  static char alternate[64 << 10];
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  CHECK(sigaltstack(&stack, NULL) == 0);
  sched_yield();
  return (void*)(intptr_t)recurse((int)(intptr_t)argument);
}

int main(void) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
  join_thread(start_thread(work, (void*)1));
  return 0;
}
