// A program that says it is written in Go: its threads wait for one another by system calls of their own, past libc.
#include "check.h"
#include <linux/futex.h>
#include <sys/syscall.h>

__asm__(
    ".section .note.go.buildid, \"a\", @note\n"
    ".balign 4\n"
    ".long 4, 4, 4\n"
    ".asciz \"Go\\0\"\n"
    ".asciz \"x/y\"\n"
    ".text");

static _Atomic int word;
static long futex(int operation, int value) {
  long result;
  register const void* timeout __asm__("r10") = NULL;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(SYS_futex), "D"(&word), "S"(operation), "d"(value), "r"(timeout)
                   : "rcx", "r11", "memory");
  return result;
}

static void pass_on(int mine) {
  for (int seen = word; seen != mine; seen = word) futex(FUTEX_WAIT_PRIVATE, seen);
  word = mine + 1;
  futex(FUTEX_WAKE_PRIVATE, 100);
}

static void* play(void* argument) {
  for (int turn = 0; turn < 50; turn++) pass_on(2 * turn);
  return argument;
}

int main(void) {
  const pthread_t other = start_thread(play, NULL);
  for (int turn = 0; turn < 50; turn++) pass_on(2 * turn + 1);
  join_thread(other);
  printf("passed on %d times\n", word);
  return success();
}
