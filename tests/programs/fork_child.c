// A forked child of main or of a thread is a whole process: it starts threads, waits, talks back and exits with a status.
#include "check.h"
#include <sys/wait.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turn;
static __thread int mine;
static void* take_turns(void* argument) {
  for (int i = 0; i < 50; i++) {
    pthread_mutex_lock(&mutex);
    while (turn != (int)(intptr_t)argument) pthread_cond_wait(&cond, &mutex);
    turn = !turn;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&mutex);
  }
  return argument;
}
static void* echo(void* argument) { return argument; }
static int child(int status, int out) {
  CHECK(mine == 5);  // the thread that forked goes on with its own variables
  pthread_t one = start_thread(take_turns, (void*)1), other = start_thread(take_turns, (void*)0);
  join_thread(one), join_thread(other);
  pid_t grandchild = fork();
  if (grandchild == 0) _exit((int)(intptr_t)join_thread(start_thread(echo, (void*)(intptr_t)status)));
  int theirs;
  CHECK(waitpid(grandchild, &theirs, 0) == grandchild);
  usleep(1000);
  dprintf(out, "child %d of %s\n", WEXITSTATUS(theirs), "somebody");
  return WEXITSTATUS(theirs);
}
static void* forking(void* argument) {
  int ends[2], status;
  CHECK(pipe(ends) == 0);
  mine = 5;
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) _exit(child((int)(intptr_t)argument, ends[1]));
  close(ends[1]);
  char text[100] = "";
  CHECK(read(ends[0], text, sizeof text - 1) > 0);
  printf("%s", text);
  CHECK(read(ends[0], text, 1) == 0);
  CHECK(waitpid(pid, &status, 0) == pid);
  printf("status %d\n", WEXITSTATUS(status));
  close(ends[0]);
  return NULL;
}

int main(void) {
  forking((void*)7);  // before any thread was started
  join_thread(start_thread(forking, (void*)8));
  forking((void*)9);
  pid_t pid = fork();
  if (pid == 0) {
    puts("exit() in the child of main");
    exit(11);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid);
  printf("status %d\n", WEXITSTATUS(status));
  return success();
}
