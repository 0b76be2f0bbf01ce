// What touches the kernel's idea of the process, called from a thread: identities, scheduling by gettid(), names; process
// groups, any child, interrupted waits; vfork whose child sets signals up; _Fork; cancelled system().
#include "check.h"
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void on_signal(int number) { CHECK(number == SIGUSR1); }
static void identities(void) {
  SHOW(setegid(getegid()));
  SHOW(setgid(getgid()));
  SHOW(seteuid(geteuid()));
  SHOW(setuid(getuid()));
  SHOW(setreuid((uid_t)-1, geteuid()));
  SHOW(setresgid((gid_t)-1, getegid(), (gid_t)-1));
  if (geteuid() == 0) {
    CHECK(seteuid(65534) == 0 && geteuid() == 65534);
    SHOW(setgid(0) == -1 ? errno == EPERM : 1);
    SHOW(setuid(12345));  // not allowed any more
    CHECK(seteuid(0) == 0 && geteuid() == 0);
  } else {
    puts("setgid(0) == -1 ? errno == EPERM : 1: 1\nsetuid(12345): -1 EPERM");
  }
}
static void by_id(void) {
  cpu_set_t set;
  CHECK(sched_getaffinity(gettid(), sizeof set, &set) == 0 && CPU_COUNT(&set) > 0);
  SHOW(sched_setaffinity(gettid(), sizeof set, &set));
  SHOW(sched_getscheduler(gettid()));
  struct sched_param parameters;
  SHOW(sched_getparam(gettid(), &parameters));
  SHOW(getpriority(PRIO_PROCESS, (id_t)gettid()) == getpriority(PRIO_PROCESS, 0));
  struct rlimit limit;
  SHOW(prlimit(gettid(), RLIMIT_NOFILE, NULL, &limit));
  SHOW(tgkill(getpid(), gettid(), 0));
  CHECK(syscall(SYS_sched_getaffinity, gettid(), sizeof set, &set) > 0);
  SHOW(syscall(SYS_sched_setaffinity, gettid(), sizeof set, &set));
  SHOW(syscall(SYS_sched_getscheduler, gettid()));
  SHOW(syscall(SYS_prlimit64, gettid(), RLIMIT_NOFILE, NULL, &limit));
  struct { uint32_t size, policy; uint64_t others[6]; } attributes = {.size = sizeof attributes};
  SHOW(syscall(SYS_sched_getattr, gettid(), &attributes, sizeof attributes, 0));
  SHOW(syscall(SYS_sched_setattr, gettid(), &attributes, 0));
  char name[16] = "";
  CHECK(prctl(PR_SET_NAME, "a name of 15 ch.") == 0 && prctl(PR_GET_NAME, name) == 0);
  puts(name);
  CHECK(pthread_getname_np(pthread_self(), name, sizeof name) == 0);
  puts(name);
}
static int gate[2];
static pid_t child(int status, pid_t group) {
  pid_t pid = fork();
  if (pid == 0) {
    if (group >= 0) setpgid(0, group);
    close(gate[1]);
    char byte;
    (void)!read(gate[0], &byte, 1);
    _exit(status);
  }
  if (group >= 0) setpgid(pid, group);
  return pid;
}
static void* wait_for_group(void* group) {
  int status;
  CHECK(waitpid(-(pid_t)(intptr_t)group, &status, 0) > 0);
  return (void*)(intptr_t)WEXITSTATUS(status);
}
static void* wait_in_vain(void* how) {
  siginfo_t info;
  long result = how ? wait4(-1, NULL, WUNTRACED, NULL) : waitid(P_ALL, 0, &info, WEXITED);
  return (void*)(intptr_t)(result == -1 ? errno : 0);
}
static void waits(void) {
  CHECK(pipe2(gate, O_CLOEXEC) == 0);
  pid_t first = child(3, 0), second = child(3, first), other = child(4, -1);
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) threads[i] = start_thread(wait_for_group, (void*)(intptr_t)first);
  for (int round = 0; round < 20; round++) {  // interrupted again and again: nothing piles up
    pthread_t vain = start_thread(wait_in_vain, (void*)(intptr_t)(round % 2));
    int result;
    do {
      let_others_run();
      pthread_kill(vain, SIGUSR1);
      void* value;
      result = pthread_tryjoin_np(vain, &value);
      if (!result) CHECK((intptr_t)value == EINTR);
    } while (result == EBUSY);
  }
  long pidfd = syscall(SYS_pidfd_open, second, 0);
  CHECK(pidfd >= 0 && close((int)pidfd) == 0);
  close(gate[1]);
  for (int i = 0; i < 2; i++) CHECK((intptr_t)join_thread(threads[i]) == 3);
  int status;
  CHECK(waitpid(-1, &status, 0) == other);
  printf("groups waited for, the other ended with %d\n", WEXITSTATUS(status));
  SHOW(wait_in_vain(NULL) == (void*)ECHILD);
  close(gate[0]);
}
static void vforks(void) {
  struct sigaction before, after;
  CHECK(sigaction(SIGUSR1, NULL, &before) == 0);
  static volatile int shared;
  shared = 0;
  pid_t pid = vfork();
  if (pid == 0) {
    signal(SIGUSR1, SIG_DFL);  // its own affair
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    close(dup(0));
    shared = 7;
    _exit(9);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid);
  CHECK(sigaction(SIGUSR1, NULL, &after) == 0 && after.sa_handler == before.sa_handler);
  sigset_t mask;
  CHECK(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0 && !sigismember(&mask, SIGUSR2));
  printf("vfork: %d, shared %d\n", WEXITSTATUS(status), shared);
  pid = _Fork();
  if (pid == 0) {
    usleep(1000);
    _exit(10);
  }
  CHECK(waitpid(pid, &status, 0) == pid);
  printf("_Fork: %d\n", WEXITSTATUS(status));
}
static void* in_system(void* argument) {
  CHECK(system(argument) == 0);
  return argument;
}
static void cancelled(void) {
  pthread_t thread = start_thread(in_system, (void*)"exec sleep 100");
  usleep(50000);
  CHECK(pthread_cancel(thread) == 0);
  printf("system cancelled: %d\n", join_thread(thread) == PTHREAD_CANCELED);
  struct sigaction now;
  CHECK(sigaction(SIGINT, NULL, &now) == 0);
  printf("SIGINT again as it was: %d\n", now.sa_handler == SIG_DFL);
  SHOW(waitpid(-1, NULL, WNOHANG));
}
static void* everything(void* argument) {
  identities();
  by_id();
  waits();
  vforks();
  cancelled();
  return argument;
}
static void* parked(void* argument) {
  CHECK(read((int)(intptr_t)argument, &(char){0}, 1) == 0);
  return NULL;
}

int main(void) {
  struct sigaction action = {.sa_handler = on_signal};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  int ends[2];
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  pthread_t others[3];
  for (int i = 0; i < 3; i++) others[i] = start_thread(parked, (void*)(intptr_t)ends[0]);
  join_thread(start_thread(everything, NULL));
  everything(NULL);
  close(ends[1]);
  for (int i = 0; i < 3; i++) join_thread(others[i]);
  return success();
}
