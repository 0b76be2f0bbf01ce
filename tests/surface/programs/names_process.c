// Children, identities, scheduling and hosts by their other names, all from a second thread.
#include "by_name.h"

#include <grp.h>
#include <netdb.h>
#include <sys/resource.h>
#include <sys/wait.h>

static char* const no_environment[] = {NULL};
static char* const arguments[] = {(char*)"sh", (char*)"-c", (char*)"exit 9", NULL};

static int exit_status(pid_t child) {
  int status = 0;
  CHECK(BY_NAME(__waitpid, waitpid)(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void children(void) {
  pid_t child = BY_NAME(_Fork, fork)();
  if (child == 0) _exit(4);
  CHECK(exit_status(child) == 4);
  pid_t (*volatile fork_and_wait)(void) = BY_NAME(__vfork, fork);
  child = fork_and_wait();
  if (child == 0) _exit(5);
  CHECK(exit_status(child) == 5);
  int status = 0;
  child = fork();
  if (child == 0) _exit(6);
  CHECK(BY_NAME(__wait, wait)(&status) == child && WEXITSTATUS(status) == 6);
  struct rusage usage;
  child = fork();
  if (child == 0) _exit(7);
  CHECK(wait3(&status, 0, &usage) == child && WEXITSTATUS(status) == 7);
  char line[16];
  FILE* stream = BY_NAME(_IO_popen, popen)("sleep 0.05; echo said", "r");
  CHECK(stream && fgets(line, sizeof line, stream) && strcmp(line, "said\n") == 0);
  CHECK(pclose(stream) == 0);
  puts("children");

  for (int how = 0; how < 3; how++) {
    child = fork();
    if (child == 0) {
      if (how == 0) execve("/bin/sh", arguments, no_environment);
      if (how == 1) execveat(AT_FDCWD, "/bin/sh", arguments, no_environment, 0);
      if (how == 2) fexecve(open("/bin/sh", O_RDONLY), arguments, no_environment);
      _exit(1);
    }
    CHECK(exit_status(child) == 9);
  }
  puts("programs");
}

static void identities(void) {
  uid_t user[3];
  gid_t group[3], groups[256];
  CHECK(getresuid(&user[0], &user[1], &user[2]) == 0 && getresgid(&group[0], &group[1], &group[2]) == 0);
  CHECK(setuid(user[0]) == 0 && seteuid(user[1]) == 0 && setreuid(user[0], user[1]) == 0 &&
        setresuid(user[0], user[1], user[2]) == 0);
  CHECK(setgid(group[0]) == 0 && setegid(group[1]) == 0 && setregid(group[0], group[1]) == 0 &&
        setresgid(group[0], group[1], group[2]) == 0);
  int count = getgroups(256, groups);
  CHECK(count >= 0);
  // For the superuser only.
  const int wanted = user[1] == 0 ? 0 : -1;
  CHECK(setgroups((size_t)count, groups) == wanted);
  CHECK(initgroups("root", group[0]) == wanted);
  CHECK(setgroups((size_t)count, groups) == wanted);
  puts("identities");
}

static void scheduling(void) {
  cpu_set_t set;
  CHECK(sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0);
  CHECK(sched_setaffinity(0, sizeof set, &set) == 0);
  CHECK(sched_getaffinity(gettid(), sizeof set, &set) == 0);
  struct sched_param parameters;
  CHECK(sched_getscheduler(0) == SCHED_OTHER && sched_getparam(0, &parameters) == 0);
  CHECK(sched_setscheduler(0, SCHED_OTHER, &parameters) == 0 && sched_setparam(0, &parameters) == 0);
  CHECK(BY_NAME(__sched_getscheduler, sched_getscheduler)(gettid()) == SCHED_OTHER);
  CHECK(BY_NAME(__sched_getparam, sched_getparam)(gettid(), &parameters) == 0);
  CHECK(BY_NAME(__sched_setscheduler, sched_setscheduler)(gettid(), SCHED_OTHER, &parameters) == 0);
  struct timespec slice;
  CHECK(sched_rr_get_interval(0, &slice) == 0);
  errno = 0;
  int priority = getpriority(PRIO_PROCESS, (id_t)gettid());
  CHECK(errno == 0 && setpriority(PRIO_PROCESS, (id_t)gettid(), priority) == 0);
  struct rlimit limit;
  CHECK(BY_NAME(prlimit, prlimit)(0, RLIMIT_NOFILE, NULL, &limit) == 0 && limit.rlim_cur > 0);
  CHECK(BY_NAME(prlimit64, prlimit)(0, RLIMIT_NOFILE, &limit, NULL) == 0);
  puts("scheduling");
}

static void hosts(void) {
  struct hostent entry, *found;
  char buffer[2048];
  int error;
  const in_addr_t address = htonl(INADDR_LOOPBACK);
  found = gethostbyname2("localhost", AF_INET);
  CHECK(found && memcmp(found->h_addr_list[0], &address, sizeof address) == 0);
  CHECK(gethostbyname2_r("localhost", AF_INET, &entry, buffer, sizeof buffer, &found, &error) == 0 && found);
  found = gethostbyaddr(&address, sizeof address, AF_INET);
  CHECK(found && strcmp(found->h_name, "localhost") == 0);
  CHECK(gethostbyaddr_r(&address, sizeof address, AF_INET, &entry, buffer, sizeof buffer, &found, &error) == 0 && found);
  puts("hosts");
}

static void* all(void* unused) {
  children();
  identities();
  scheduling();
  hosts();
  return unused;
}

int main(void) {
  join_thread(start_thread(all, NULL));
  return success();
}
