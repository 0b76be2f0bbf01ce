// Starting programs from threads: vfork and exec, posix_spawn with file actions and attributes, system, exec errors.
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

extern char** environ;
static int exit_status(pid_t pid) {
  int status;
  CHECK(waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
static void* look(void* argument) {
  pid_t pid = vfork();
  if (pid == 0) {
    execl("/bin/sh", "sh", "-c", "exit 12", (char*)NULL);
    _exit(127);
  }
  printf("vfork and exec: %d\n", exit_status(pid));
  pid = vfork();
  if (pid == 0) {
    execl("/no/such/program", "program", (char*)NULL);
    _exit(errno == ENOENT ? 13 : 14);
  }
  printf("vfork and failing exec: %d\n", exit_status(pid));

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  int ends[2];
  CHECK(pipe(ends) == 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  char* arguments[] = {(char*)"sh", (char*)"-c", (char*)"read x; echo spawned; exit 15", NULL};
  SHOW_ERROR(posix_spawnp(&pid, "sh", &actions, &attributes, arguments, environ));
  close(ends[1]);
  char text[100];
  ssize_t got = read(ends[0], text, sizeof text);
  printf("it said: %.*s", (int)got, text);
  CHECK(read(ends[0], text, 1) == 0);
  printf("posix_spawn: %d\n", exit_status(pid));
  close(ends[0]);
  SHOW_ERROR(posix_spawn(&pid, "/no/such/program", NULL, NULL, arguments, environ));

  printf("system: %d\n", WEXITSTATUS(system("exit 16")));
  printf("system, killed: %d\n", WTERMSIG(system("kill -9 $$")));
  printf("system(NULL): %d\n", system(NULL) != 0);
  if (!argument) puts("in main");
  return argument;
}
static void* many(void* argument) { return (void*)(intptr_t)(WEXITSTATUS(system("exit 3")) + (argument != NULL)); }

int main(void) {
  join_thread(start_thread(look, (void*)1));
  look(NULL);
  pthread_t threads[8];
  for (int i = 0; i < 8; i++) threads[i] = start_thread(many, NULL);
  for (int i = 0; i < 8; i++) CHECK((intptr_t)join_thread(threads[i]) == 3);
  return success();
}
