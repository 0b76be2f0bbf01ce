// Whatever number /proc/self/fd lists can be replaced and closed in the child that becomes a program.
#include "check.h"
#include <dirent.h>
#include <spawn.h>
#include <sys/wait.h>

extern char** environ;
static int numbers[256];
static int count;

static void list(void) {
  DIR* listing = opendir("/proc/self/fd");
  CHECK(listing != NULL);
  count = 0;
  for (struct dirent* entry; (entry = readdir(listing)) != NULL;) {
    const int fd = atoi(entry->d_name);
    if (fd > 2 && fd != dirfd(listing)) numbers[count++] = fd;
    CHECK(count < 256);
  }
  closedir(listing);
}

static int exit_status(pid_t pid) {
  int status;
  CHECK(waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void by_spawn(void) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int i = 0; i < count; i++) {
    posix_spawn_file_actions_adddup2(&actions, 0, numbers[i]);
    posix_spawn_file_actions_addclose(&actions, numbers[i]);
  }
  char* arguments[] = {(char*)"sh", (char*)"-c", (char*)"exit 15", NULL};
  pid_t pid;
  errno = posix_spawnp(&pid, "sh", &actions, NULL, arguments, environ);
  CHECK(errno == 0);
  printf("spawned: %d\n", exit_status(pid));
  posix_spawn_file_actions_destroy(&actions);
}

static void by_vfork(void) {
  const pid_t pid = vfork();
  if (pid == 0) {
    for (int i = 0; i < count; i++) {
      if (dup2(0, numbers[i]) != numbers[i]) _exit(1);
      if (close(numbers[i]) != 0) _exit(2);
      if (close(numbers[i]) != -1 || errno != EBADF) _exit(3);
    }
    closefrom(3);
    execlp("sh", "sh", "-c", "exit 16", (char*)NULL);
    _exit(127);
  }
  printf("vfork: %d\n", exit_status(pid));
}

static void* look(void* argument) {
  list();
  by_spawn();
  by_vfork();
  CHECK(usleep(1000) == 0);
  return argument;
}

int main(void) {
  join_thread(start_thread(look, NULL));
  look(NULL);
  return success();
}
