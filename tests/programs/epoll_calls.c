// epoll_wait, epoll_pwait, epoll_pwait2: timeouts; level, edge and one-shot; several waiters on one epoll; nested ones.
#include "pairs.h"
#include <sys/epoll.h>

static int epoll, sockets[2], served;
static void add(int in, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  CHECK(epoll_ctl(in, EPOLL_CTL_ADD, fd, &event) == 0);
}
static void* wake(void* argument) {
  let_others_run();
  CHECK(write((int)(intptr_t)argument, "x", 1) == 1);
  return NULL;
}
static void* look(void* argument) {
  struct epoll_event events[4];
  int own = epoll_create1(EPOLL_CLOEXEC), ends[2];
  char byte;
  make_pair(UNIX_STREAM, ends);
  SHOW(epoll_wait(own, events, 4, 0));
  double began = seconds_now();
  SHOW(epoll_wait(own, events, 4, 40));
  CHECK_TOOK(began, 40);
  add(own, ends[0], EPOLLIN);
  SHOW(epoll_pwait(own, events, 4, 20, NULL));
  struct timespec time = {0, 20000000};
  SHOW(epoll_pwait2(own, events, 4, &time, NULL));
  pthread_t waker = start_thread(wake, (void*)(intptr_t)ends[1]);
  SHOW(epoll_wait(own, events, 4, -1));
  printf("right fd: %d, EPOLLIN: %d\n", events[0].data.fd == ends[0], events[0].events == EPOLLIN);
  join_thread(waker);
  SHOW(epoll_wait(own, events, 4, -1));  // level: still there
  CHECK(read(ends[0], &byte, 1) == 1);

  struct epoll_event change = {.events = EPOLLIN | EPOLLET | EPOLLRDHUP, .data.fd = ends[0]};
  CHECK(epoll_ctl(own, EPOLL_CTL_MOD, ends[0], &change) == 0);
  waker = start_thread(wake, (void*)(intptr_t)ends[1]);
  SHOW(epoll_wait(own, events, 4, -1));
  join_thread(waker);
  SHOW(epoll_wait(own, events, 4, 20));  // edge: told already
  int outer = epoll_create1(0);
  add(outer, own, EPOLLIN);
  waker = start_thread(wake, (void*)(intptr_t)ends[1]);
  SHOW(epoll_wait(outer, events, 4, -1));
  printf("nested: %d\n", events[0].data.fd == own);
  join_thread(waker);
  change.events = EPOLLIN | EPOLLONESHOT;
  CHECK(epoll_ctl(own, EPOLL_CTL_MOD, ends[0], &change) == 0);
  SHOW(epoll_wait(own, events, 4, -1));
  SHOW(epoll_wait(own, events, 4, 20));
  SHOW(epoll_wait(own, events, 0, 0));
  SHOW(epoll_wait(1000, events, 4, -1));
  SHOW(epoll_wait(ends[0], events, 4, -1));
  close(own), close(outer), close_pair(ends);
  return argument;
}
static void* worker(void* argument) {  // all wait on the same epoll
  for (;;) {
    struct epoll_event event;
    CHECK(epoll_wait(epoll, &event, 1, -1) == 1);
    char byte;
    if (recv(event.data.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) return argument;
    if (recv(event.data.fd, &byte, 1, MSG_DONTWAIT) == 1) __atomic_add_fetch(&served, 1, __ATOMIC_SEQ_CST);
    event.events = EPOLLIN | EPOLLONESHOT;
    CHECK(epoll_ctl(epoll, EPOLL_CTL_MOD, event.data.fd, &event) == 0);
  }
}

int main(void) {
  join_thread(start_thread(look, NULL));
  look(NULL);
  epoll = epoll_create(10);
  int pairs[20][2];
  for (int i = 0; i < 20; i++) {
    make_pair(UNIX_STREAM, pairs[i]);
    add(epoll, pairs[i][0], EPOLLIN | EPOLLONESHOT);
  }
  make_pair(UNIX_STREAM, sockets);
  pthread_t threads[6];
  for (int i = 0; i < 6; i++) threads[i] = start_thread(worker, NULL);
  for (int i = 0; i < 1000; i++) CHECK(write(pairs[i % 20][1], "x", 1) == 1);
  while (__atomic_load_n(&served, __ATOMIC_SEQ_CST) < 1000) sched_yield();
  add(epoll, sockets[0], EPOLLIN);
  CHECK(shutdown(sockets[1], SHUT_WR) == 0);
  for (int i = 0; i < 6; i++) join_thread(threads[i]);
  printf("served %d\n", served);
  return success();
}
