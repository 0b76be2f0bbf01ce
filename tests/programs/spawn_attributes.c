// posix_spawn from a thread with each file action and attribute; the program it starts is this one, which says what it got.
#include "masks.h"
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern char** environ;
static char self[4096];
static int gate[2];

static void* parked(void* argument) {
  char byte;
  return read(gate[0], &byte, 1) == 1 ? argument : NULL;
}
static void handler(int number) { (void)number; }

static int described(const char* what) {
  char directory[4096], expected[10];
  sigset_t mask;
  sigprocmask(SIG_BLOCK, NULL, &mask);
  struct sigaction usr1, hup, term;
  sigaction(SIGUSR1, NULL, &usr1);
  sigaction(SIGHUP, NULL, &hup);
  sigaction(SIGTERM, NULL, &term);
  CHECK(getcwd(directory, sizeof directory));
  printf("%s: blocked %d %d, USR1 %s, HUP %s, TERM %s\n", what, sigismember(&mask, SIGUSR2), sigismember(&mask, SIGTERM),
         usr1.sa_handler == SIG_DFL ? "default" : "other", hup.sa_handler == SIG_IGN ? "ignored" : "default",
         term.sa_handler == SIG_IGN ? "ignored" : "default");
  printf("  group leader %d, session leader %d, in /: %d, policy %d, descriptors", getpgrp() == getpid(), getsid(0) == getpid(),
         !strcmp(directory, "/"), sched_getscheduler(0));
  for (int fd = 3; fd < 40; fd++) {
    if (fcntl(fd, F_GETFD) != -1) printf(" %d", fd);
  }
  snprintf(expected, sizeof expected, "%s", getenv("GUV_TEST_WORD") ? getenv("GUV_TEST_WORD") : "none");
  printf(", word %s\n", expected);
  fflush(stdout);
  return 30;
}

static void spawn(const char* what, const posix_spawn_file_actions_t* actions, const posix_spawnattr_t* attributes, char** environment) {
  char* arguments[] = {self, (char*)what, NULL};
  pid_t pid;
  int status;
  errno = posix_spawn(&pid, self, actions, attributes, arguments, environment);
  CHECK(errno == 0);
  CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 30);
}

static void with_attribute(const char* what, short flag) {
  posix_spawnattr_t attributes;
  sigset_t some;
  posix_spawnattr_init(&attributes);
  sigemptyset(&some);
  sigaddset(&some, SIGTERM);
  sigaddset(&some, SIGHUP);
  struct sched_param parameters = {0};
  if (flag == POSIX_SPAWN_SETSIGMASK) posix_spawnattr_setsigmask(&attributes, &some);
  if (flag == POSIX_SPAWN_SETSIGDEF) posix_spawnattr_setsigdefault(&attributes, &some);
  if (flag == POSIX_SPAWN_SETPGROUP) posix_spawnattr_setpgroup(&attributes, 0);
  if (flag == POSIX_SPAWN_SETSCHEDULER) posix_spawnattr_setschedpolicy(&attributes, SCHED_BATCH);
  posix_spawnattr_setschedparam(&attributes, &parameters);
  CHECK(posix_spawnattr_setflags(&attributes, flag) == 0);
  spawn(what, NULL, &attributes, environ);
  posix_spawnattr_destroy(&attributes);
}

static void with_actions(void) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), kept = open("/dev/null", O_RDONLY | O_CLOEXEC);
  posix_spawn_file_actions_addopen(&actions, 30, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_adddup2(&actions, 30, 31);
  posix_spawn_file_actions_adddup2(&actions, kept, kept);  // no longer close-on-exec
  posix_spawn_file_actions_addclose(&actions, 30);
  posix_spawn_file_actions_addchdir_np(&actions, "/tmp");
  posix_spawn_file_actions_addfchdir_np(&actions, root);
  spawn("file actions", &actions, NULL, environ);
#if __GLIBC_PREREQ(2, 34)
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
#else
  posix_spawn_file_actions_addclose(&actions, 31);
  posix_spawn_file_actions_addclose(&actions, kept);
#endif
  spawn("closed from 3", &actions, NULL, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(root);
  close(kept);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 30, "/no/such/file", O_RDWR, 0);
  char* arguments[] = {self, NULL};
  pid_t pid;
  SHOW_ERROR(posix_spawn(&pid, self, &actions, NULL, arguments, environ));
  posix_spawn_file_actions_destroy(&actions);
  SHOW(waitpid(-1, NULL, WNOHANG));
}

static void* work(void* argument) {
  change_mask(SIG_BLOCK, SIGUSR2);
  spawn("plain", NULL, NULL, environ);
  char* environment[] = {(char*)"GUV_TEST_WORD=other", NULL};
  spawn("environment", NULL, NULL, environment);
  with_attribute("mask", POSIX_SPAWN_SETSIGMASK);
  with_attribute("defaults", POSIX_SPAWN_SETSIGDEF);
  with_attribute("group", POSIX_SPAWN_SETPGROUP);
  with_attribute("session", POSIX_SPAWN_SETSID);
  with_attribute("identities", POSIX_SPAWN_RESETIDS);
  with_attribute("parameters", POSIX_SPAWN_SETSCHEDPARAM);
  with_attribute("policy", POSIX_SPAWN_SETSCHEDULER);
  with_attribute("vfork", POSIX_SPAWN_USEVFORK);
  with_actions();
  return argument;
}

int main(int argc, char** argv) {
  if (argc > 1) return described(argv[1]);
  CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0 && pipe2(gate, O_CLOEXEC) == 0);
  signal(SIGUSR1, handler);
  signal(SIGHUP, SIG_IGN);
  for (int i = 0; i < 5; i++) start_thread(parked, NULL);
  join_thread(start_thread(work, NULL));
  return success();
}
