// exit in a thread: first the thread's own thread_local objects go, then exit handlers and static objects, last come first gone; those
// of other threads, main's too, do not. The same for main's return and for the last thread after main's pthread_exit.
#include "check.h"
#include <stdlib.h>
#include <sys/wait.h>

static void say(const char* what) { dprintf(1, "  %s\n", what); }

struct Announced {
  const char* name;
  explicit Announced(const char* its_name) : name(its_name) {}
  ~Announced() { say(name); }
};

static Announced global("static object");
static thread_local Announced first_of_thread("thread_local, first"), second_of_thread("thread_local, second");
static pthread_key_t key;
static int ends[2];

static void touch() {
  CHECK(first_of_thread.name && second_of_thread.name);
  pthread_setspecific(key, "specific");
}
static void on_key(void*) { say("thread-specific data"); }
static void first() { say("atexit, first"); }
static void second() { say("atexit, second"); }
static void third(int status, void*) { say(status == 4 ? "on_exit with 4" : "on_exit"); }

static void* parked(void*) {
  touch();
  char byte;
  (void)!read(ends[0], &byte, 1);
  return nullptr;
}
static void* exits(void*) {
  touch();
  static Announced local("function's static object");
  exit(4);
}
static void* returns(void* main_thread) {
  touch();
  if (main_thread) join_thread(*static_cast<pthread_t*>(main_thread));
  return nullptr;
}

static void in_thread() {
  start_thread(exits, nullptr);
  for (;;) sched_yield();
}
static void by_return() {
  join_thread(start_thread(returns, nullptr));
  exit(4);
}
static void by_last_thread() {
  static pthread_t self = pthread_self();
  start_thread(returns, &self);
  pthread_exit(nullptr);
}

static void run(const char* name, void (*body)(), bool with_parked) {
  int status;
  printf("%s\n", name);
  const pid_t child = fork();
  if (child == 0) {
    CHECK(pipe(ends) == 0);
    pthread_key_create(&key, on_key);
    atexit(first);
    atexit(second);
    on_exit(third, nullptr);
    touch();
    if (with_parked) start_thread(parked, nullptr);
    let_others_run();
    body();
  }
  CHECK(waitpid(child, &status, 0) == child);
  printf("  status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
}

static void* nothing(void* argument) { return argument; }

int main() {
  join_thread(start_thread(nothing, nullptr));
  run("exit in a thread", in_thread, true);
  run("main's exit", by_return, true);
  run("the last thread", by_last_thread, false);
  success();
  _exit(0);
}
