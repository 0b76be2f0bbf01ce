// The life of a daemon: main waits in accept, a child sends SIGHUP (reload, SA_RESTART) and SIGTERM (stop), threads serve.
#include "pairs.h"
#include <signal.h>
#include <sys/wait.h>

static volatile sig_atomic_t stop, reloads;
static int listener;
static void on_term(int number) { stop = number; }
static void on_hup(int number) { reloads += number == SIGHUP; }
static void* serve(void* argument) {
  int fd = (int)(intptr_t)argument;
  char byte;
  while (read(fd, &byte, 1) == 1) CHECK(write(fd, &byte, 1) == 1);
  close(fd);
  return NULL;
}
static void ask(int times) {
  int fd = connected(SOCK_STREAM, listener);
  for (int i = 0; i < times; i++) {
    char byte = 'q';
    CHECK(write(fd, &byte, 1) == 1 && read(fd, &byte, 1) == 1);
  }
  close(fd);
}

int main(void) {
  struct sigaction term = {.sa_handler = on_term}, hup = {.sa_handler = on_hup, .sa_flags = SA_RESTART};
  sigaction(SIGTERM, &term, NULL);
  sigaction(SIGHUP, &hup, NULL);
  listener = tcp_listener(50);
  int gone[2];
  CHECK(pipe(gone) == 0);
  pid_t child = fork();
  if (child == 0) {
    pid_t parent = getppid();
    close(gone[1]);
    for (int i = 0; i < 20; i++) {
      ask(10);
      kill(parent, SIGHUP);
    }
    fcntl(gone[0], F_SETFL, O_NONBLOCK);
    for (char byte; read(gone[0], &byte, 1) == -1; usleep(2000)) kill(parent, SIGTERM);
    _exit(0);
  }
  close(gone[0]);
  pthread_t threads[100];
  int served = 0;
  while (!stop) {
    int fd = accept(listener, NULL, NULL);
    if (fd == -1 && errno == EINTR) continue;
    CHECK(fd >= 0);
    threads[served++] = start_thread(serve, (void*)(intptr_t)fd);
  }
  close(gone[1]);
  for (int i = 0; i < served; i++) join_thread(threads[i]);
  int status;
  while (waitpid(child, &status, 0) == -1) CHECK(errno == EINTR);
  printf("served %d, reloaded %d, stopped by %d, child %d\n", served, reloads > 0, stop == SIGTERM, status);
  return success();
}
