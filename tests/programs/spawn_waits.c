// Starting a program may wait: here for FIFOs that are opened as file actions, whose other ends other threads of the same process
// open. From a handler; with a wait for the thread's own child; and what the child asked for at its parent's end comes no sooner.
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <wordexp.h>

extern char** environ;
static char self[4096];

static int exit_status(pid_t pid, int options) {
  int status;
  const pid_t found = waitpid(pid, &status, options);
  CHECK(pid == -1 ? found > 0 : found == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static pid_t spawn(const char* what, const posix_spawn_file_actions_t* actions, int by_path) {
  char* arguments[] = {self, (char*)what, NULL};
  pid_t pid;
  errno = (by_path ? posix_spawnp : posix_spawn)(&pid, self, actions, NULL, arguments, environ);
  CHECK(errno == 0);
  return pid;
}

struct pipe {
  char name[20];
  int by_path;
};

static void* read_from_fifo(void* argument) {
  const struct pipe* fifo = argument;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, fifo->name, O_RDONLY, 0);
  const int status = exit_status(spawn("count", &actions, fifo->by_path), 0);
  posix_spawn_file_actions_destroy(&actions);
  return (void*)(intptr_t)status;
}

static void* expand_fifo(void* name) {
  char words[40];
  snprintf(words, sizeof words, "$(cat %s)", (char*)name);
  wordexp_t result;
  CHECK(wordexp(words, &result, 0) == 0 && result.we_wordc == 2 && !strcmp(result.we_wordv[1], "words"));
  wordfree(&result);
  return NULL;
}

static void* write_to_fifo(void* name) {
  const int fd = open(name, O_WRONLY);
  CHECK(fd >= 0 && write(fd, "two words", 9) == 9);
  close(fd);
  return NULL;
}

static void with_fifos(void) {
  enum { count = 8 };
  static struct pipe fifos[count];
  pthread_t readers[count], writers[count];
  for (int i = 0; i < count; i++) {
    snprintf(fifos[i].name, sizeof fifos[i].name, "fifo%d", i);
    fifos[i].by_path = i % 2;
    CHECK(mkfifo(fifos[i].name, 0600) == 0);
    readers[i] = start_thread(read_from_fifo, &fifos[i]);
  }
  let_others_run();
  for (int i = 0; i < count; i++) writers[i] = start_thread(write_to_fifo, fifos[i].name);
  for (int i = 0; i < count; i++) {
    join_thread(writers[i]);
    printf("the child read %d\n", (int)(intptr_t)join_thread(readers[i]));
  }
  const pthread_t expands = start_thread(expand_fifo, fifos[0].name);
  let_others_run();
  write_to_fifo(fifos[0].name);
  join_thread(expands);
}

static int from_handler;
static void handler(int number) {
  (void)number;
  from_handler = exit_status(spawn("nothing", NULL, 0), 0);
}

static void* own_child(void* argument) {
  printf("own child: %d\n", exit_status(spawn("nothing", NULL, 0), __WALL | __WNOTHREAD));
  spawn("nothing", NULL, 0);
  printf("any own child: %d\n", exit_status(-1, __WNOTHREAD));
  signal(SIGUSR1, handler);
  CHECK(pthread_kill(pthread_self(), SIGUSR1) == 0);
  printf("from a handler: %d\n", from_handler);
  return argument;
}

// It lives until `gate` is closed, unless it is sent what it asked for.
static void parents_end(void) {
  int gate[2], ready[2];
  CHECK(pipe2(gate, O_CLOEXEC) == 0 && pipe2(ready, O_CLOEXEC) == 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, gate[0], 0);
  posix_spawn_file_actions_adddup2(&actions, ready[1], 1);
  const pid_t pid = spawn("follow", &actions, 0);
  posix_spawn_file_actions_destroy(&actions);
  char byte;
  CHECK(read(ready[0], &byte, 1) == 1);
  // Something that each kernel thread has to itself: guv has others make its slow calls from now on.
  CHECK(prctl(PR_SET_TIMERSLACK, 60000) == 0);
  usleep(50000);
  close(gate[1]);
  printf("a child that follows its parent: %d\n", exit_status(pid, 0));
}

static int child(const char* what) {
  char text[20];
  if (!strcmp(what, "count")) return (int)read(0, text, sizeof text);
  if (!strcmp(what, "nothing")) return 40;
  CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && write(1, "x", 1) == 1);
  return read(0, text, 1) == 0 ? 41 : 42;
}

int main(int argc, char** argv) {
  if (argc > 1) return child(argv[1]);
  CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
  with_fifos();
  join_thread(start_thread(own_child, NULL));
  parents_end();
  return success();
}
