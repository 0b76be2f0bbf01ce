// Functions of libc that are newer than the libc that guv is made with: called where there are any.
#include "../../programs/check.h"
#include <dlfcn.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>

extern char** environ;

// A function of libc by its name, or what stands before it; null: this libc has none.
#define BY_NAME(name) (dlsym(libc, #name) ? dlsym(RTLD_DEFAULT, #name) : NULL)

typedef int spawn_function(int* pidfd, const char* file, const posix_spawn_file_actions_t* actions,
                           const posix_spawnattr_t* attributes, char* const arguments[], char* const environment[]);

static void spawn(const char* name, spawn_function* function, const char* file) {
  char* const arguments[] = {"sh", "-c", "exit 7", NULL};
  int pidfd = -1;
  siginfo_t info = {0};
  if (function) {
    CHECK(function(&pidfd, file, NULL, NULL, arguments, environ) == 0);
    CHECK(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0 && info.si_status == 7);
    CHECK(close(pidfd) == 0);
    CHECK(function(&pidfd, "/nonexistent", NULL, NULL, arguments, environ) == ENOENT);
  }
  printf("%s: right, if there is one\n", name);
}

static void schedule(void* libc) {
  struct {
    uint32_t size, policy;
    uint64_t others[6];
  } attributes = {0};  // sched_setattr(2)'s
  int (*get)(pid_t, void*, unsigned, unsigned) = BY_NAME(sched_getattr);
  int (*set)(pid_t, void*, unsigned) = BY_NAME(sched_setattr);
  if (get && set) {
    CHECK(get(gettid(), &attributes, sizeof attributes, 0) == 0 && attributes.policy == SCHED_OTHER);
    CHECK(set(gettid(), &attributes, 0) == 0);
    CHECK(set(gettid(), NULL, 0) == -1 && errno == EINVAL);
  }
  puts("sched_setattr: right, if there is one");
}

static void* in_thread(void* libc) {
  spawn("pidfd_spawn", BY_NAME(pidfd_spawn), "/bin/sh");
  spawn("pidfd_spawnp", BY_NAME(pidfd_spawnp), "sh");
  schedule(libc);
  return NULL;
}

int main(void) {
  void* libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
  CHECK(libc);
  join_thread(start_thread(in_thread, libc));
  return success();
}
