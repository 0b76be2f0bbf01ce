// Loops that only ask and never wait (zero timeouts, try-calls, MSG_DONTWAIT) still let the others get on.
#include "pairs.h"
#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/wait.h>

static int go[2];
static void* answer(void* argument) {  // runs only when the asking main lets it
  char byte;
  CHECK(read(go[0], &byte, 1) == 1);
  CHECK(write((int)(intptr_t)argument, "x", 1) == 1);
  return NULL;
}
static sem_t semaphore;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t held;
static void* hold(void* argument) {
  pthread_mutex_lock(&mutex);
  pthread_barrier_wait(&held);
  sem_wait(&semaphore);
  pthread_mutex_unlock(&mutex);
  return argument;
}
static void* post(void* argument) {
  sem_post(&semaphore);
  return argument;
}

int main(void) {
  int ends[2], epoll = epoll_create1(0), waiting;
  char byte;
  CHECK(pipe(go) == 0);
  make_pair(UNIX_STREAM, ends);
  struct epoll_event event = {.events = EPOLLIN};
  CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) == 0);
  const char* const names[] = {"poll", "select", "epoll_wait", "recv", "read"};
  for (int how = 0; how < 5; how++) {
    pthread_t thread = start_thread(answer, (void*)(intptr_t)ends[1]);
    CHECK(write(go[1], "", 1) == 1);
    struct pollfd polled = {.fd = ends[0], .events = POLLIN};
    struct timeval none = {0, 0};
    fd_set set;
    if (how == 4) fcntl(ends[0], F_SETFL, O_NONBLOCK);
    do {
      FD_ZERO(&set);
      FD_SET(ends[0], &set);
      switch (how) {
        case 0: waiting = poll(&polled, 1, 0) == 0; break;
        case 1: waiting = select(ends[0] + 1, &set, NULL, NULL, &none) == 0; break;
        case 2: waiting = epoll_wait(epoll, &event, 1, 0) == 0; break;
        case 3: waiting = recv(ends[0], &byte, 1, MSG_DONTWAIT | MSG_PEEK) == -1; break;
        default: waiting = read(ends[0], &byte, 1) == -1; break;
      }
    } while (waiting);
    if (how != 4) CHECK(read(ends[0], &byte, 1) == 1);
    join_thread(thread);
    puts(names[how]);
  }
  sem_init(&semaphore, 0, 0);
  pthread_t thread = start_thread(post, NULL);
  while (sem_trywait(&semaphore) == -1) continue;
  puts("sem_trywait");
  while (pthread_tryjoin_np(thread, NULL) == EBUSY) continue;
  puts("pthread_tryjoin_np");
  pthread_barrier_init(&held, NULL, 2);
  thread = start_thread(hold, NULL);
  pthread_barrier_wait(&held);
  sem_post(&semaphore);
  while (pthread_mutex_trylock(&mutex) == EBUSY) continue;
  puts("pthread_mutex_trylock");
  join_thread(thread);
  pid_t child = fork();
  if (child == 0) _exit(0);
  while (waitpid(child, NULL, WNOHANG) == 0) continue;
  puts("waitpid");
  return success();
}
