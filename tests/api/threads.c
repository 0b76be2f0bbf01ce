// What a C program has of green threads, time-outs, descriptors, the hub and the patcher.
#include <guv/guv.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

static int one, two;

// ---- threads ----------------------------------------------------------------------------------------------------

static void* return_argument(void* argument) { return argument; }
static void* sleep_for_ever(void* argument) {
  const int error = guv_sleep_until(GUV_NEVER);
  return argument ? argument : (void*)(intptr_t)error;
}
static void count(void* counter) { ++*(int*)counter; }

static void tasks(void) {
  int disposed = 0;
  guv_task task = {.run = return_argument, .argument = &disposed, .dispose = count, .delay = 2000000};
  const int64_t start = guv_now();
  guv_thread* thread;
  CHECK(guv_spawn_task(&thread, &task) == 0);
  CHECK(guv_thread_is_alive(thread));
  CHECK(join(thread) == &disposed);
  CHECK(guv_now() - start >= task.delay);
  CHECK(disposed == 1);

  task.delay = 3600000000000;
  CHECK(guv_spawn_task(&thread, &task) == 0);
  CHECK(guv_thread_cancel(thread, -EPIPE) == 1);
  CHECK(guv_thread_wait(thread, NULL, GUV_NEVER) == -EPIPE);
  CHECK(!guv_thread_is_alive(thread));
  CHECK(guv_thread_cancel(thread, -EPIPE) == 0);
  guv_thread_release(thread);
  CHECK(disposed == 2);
}

static void* tell_name(void* name) {
  guv_thread* me = guv_thread_current();
  guv_thread_set_name(me, "a name that is too long");
  guv_thread_name(me, name);
  guv_thread_release(me);
  return NULL;
}

static void handles(void) {
  char name[16];
  guv_thread* thread = spawn(tell_name, name);
  guv_thread* again = guv_thread_retain(thread);
  CHECK(again == thread);
  join(thread);
  CHECK(strcmp(name, "a name that is ") == 0);
  CHECK(!guv_thread_is_alive(again));
  CHECK(guv_thread_wait(again, NULL, 0) == 0);
  guv_thread_release(again);
}

static void raise_nothing(void* raised) { ++*(int*)raised; }

static void kills(void) {
  guv_thread* thread = spawn(sleep_for_ever, NULL);
  CHECK(guv_thread_wait(thread, NULL, 0) == -ETIMEDOUT);
  CHECK(guv_thread_interrupt(thread, -EPIPE, NULL, NULL) == 0);
  CHECK(guv_thread_interrupt(thread, -EPIPE, NULL, NULL) == -ESRCH);
  CHECK(join(thread) == (void*)(intptr_t)-EPIPE);

  int raised = 0;
  thread = spawn(sleep_for_ever, NULL);
  CHECK(guv_thread_interrupt(thread, -EINTR, raise_nothing, &raised) == 0);
  CHECK(join(thread) == (void*)(intptr_t)-EINTR);
  CHECK(raised == 1);

  CHECK(guv_spawn(&thread, return_argument, NULL) == 0);
  CHECK(guv_thread_kill(thread) == 1);
  CHECK(guv_thread_wait(thread, NULL, GUV_NEVER) == -ECANCELED);
  guv_thread_release(thread);
}

static void on_end(guv_thread* thread, void* ended) {
  CHECK(guv_thread_wait(thread, NULL, 0) == 0);
  ++*(int*)ended;
}

static void links(void) {
  int ended = 0;
  guv_thread* thread;
  CHECK(guv_spawn(&thread, return_argument, NULL) == 0);
  for (int i = 0; i < 3; ++i) CHECK(guv_thread_link(thread, on_end, &ended) == 0);
  CHECK(guv_thread_unlink(thread, on_end, &ended) == 1);
  CHECK(guv_thread_unlink(thread, on_end, &one) == 0);
  CHECK(guv_thread_wait(thread, NULL, GUV_NEVER) == 0);
  CHECK(guv_yield() == 0);
  CHECK(ended == 2);
  CHECK(guv_thread_link(thread, on_end, &ended) == 0);
  CHECK(ended == 3);
  guv_thread_release(thread);
}

static void* park(void* woken) {
  CHECK(guv_park(GUV_NEVER) == 0);
  ++*(int*)woken;
  return NULL;
}

static void parking(void) {
  int woken = 0;
  guv_thread* thread = spawn(park, &woken);
  CHECK(guv_yield() == 0);
  CHECK(woken == 0);
  guv_thread_wake(thread);
  join(thread);
  CHECK(woken == 1);
  CHECK(guv_hub_exceptions(-1) == 1);
  CHECK(guv_hub_exceptions(0) == 1);
  CHECK(guv_hub_exceptions(1) == 0);
}

// ---- addresses, turns -------------------------------------------------------------------------------------------

static int busy;
static int is_busy(void* argument) { return __atomic_load_n((int*)argument, __ATOMIC_SEQ_CST); }
static void* wait_while_busy(void* argument) {
  return (void*)(intptr_t)guv_wait(argument, is_busy, argument, GUV_NEVER);
}

static void addresses(void) {
  CHECK(guv_wait(&busy, is_busy, &busy, GUV_NEVER) == 0);
  busy = 1;
  CHECK(guv_wait(&busy, is_busy, &busy, in_ms(2)) == -ETIMEDOUT);
  guv_thread* first = spawn(wait_while_busy, &busy);
  guv_thread* second = spawn(wait_while_busy, &busy);
  __atomic_store_n(&busy, 0, __ATOMIC_SEQ_CST);
  CHECK(guv_wake(&busy, 1) == 1);
  CHECK(join(first) == NULL);
  CHECK(guv_thread_is_alive(second));
  CHECK(guv_wake(&busy, SIZE_MAX) == 1);
  CHECK(join(second) == NULL);
  CHECK(guv_wake(&busy, SIZE_MAX) == 0);
}

static guv_lock lock;
static guv_turn* waiting;
static void leave(void* argument) { *(guv_turn**)argument = NULL; }

static void* wait_for_turn(void* argument) {
  guv_turn turn;
  guv_lock_acquire(&lock);
  waiting = &turn;
  (void)argument;
  return (void*)(intptr_t)guv_turn_wait(&turn, &lock, leave, &waiting, GUV_NEVER);
}

static void turns(void) {
  guv_thread* thread = spawn(wait_for_turn, NULL);
  guv_lock_acquire(&lock);
  CHECK(waiting);
  guv_turn_give(waiting);
  guv_lock_release(&lock);
  CHECK(join(thread) == NULL);

  thread = spawn(wait_for_turn, NULL);
  CHECK(guv_thread_kill(thread) == 0);
  CHECK(join(thread) == (void*)(intptr_t)-ECANCELED);
  CHECK(!waiting);
}

// ---- time-outs --------------------------------------------------------------------------------------------------

static void timeouts(void) {
  guv_timeout timeout = {{0}};
  CHECK(!guv_timeout_pending(&timeout));
  CHECK(guv_timeout_start(&timeout, in_ms(2), -EPIPE, NULL, NULL) == 0);
  CHECK(guv_timeout_start(&timeout, in_ms(2), -EPIPE, NULL, NULL) == -EBUSY);
  CHECK(guv_timeout_pending(&timeout));
  CHECK(guv_sleep_until(GUV_NEVER) == -EPIPE);
  CHECK(!guv_timeout_pending(&timeout));
  CHECK(guv_timeout_cancel(&timeout) == 0);
  CHECK(guv_timeout_start(&timeout, in_ms(3600000), -EPIPE, NULL, NULL) == 0);
  CHECK(guv_timeout_cancel(&timeout) == 1);
  CHECK(guv_timeout_start(&timeout, GUV_NEVER, -EPIPE, NULL, NULL) == 0);
  CHECK(!guv_timeout_pending(&timeout));
}

// ---- descriptors ------------------------------------------------------------------------------------------------

static void* write_byte(void* fd) {
  CHECK(write(*(int*)fd, "x", 1) == 1);
  return NULL;
}

static void* connect_to(void* address) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(guv_connect(fd, address, sizeof(struct sockaddr_in), GUV_NEVER) == 0);
  struct iovec pieces[] = {{"ab", 2}, {"c", 1}};
  CHECK(guv_sendv(fd, pieces, 2, 0, GUV_NEVER) == 3);
  close(fd);
  return NULL;
}

static void descriptors(void) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  CHECK(guv_trampoline(ends[0], GUV_READ, in_ms(2)) == -ETIMEDOUT);
  CHECK(guv_trampoline(ends[1], GUV_READ | GUV_WRITE, GUV_NEVER) == GUV_WRITE);
  guv_thread* writer = spawn(write_byte, &ends[1]);
  CHECK(guv_trampoline(ends[0], GUV_READ, GUV_NEVER) == GUV_READ);
  join(writer);
  close(ends[0]);
  close(ends[1]);
  CHECK(guv_trampoline(ends[0], GUV_READ, GUV_NEVER) == -EBADF);

  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  const int listener = guv_listen((const struct sockaddr*)&address, size, 10);
  CHECK(getsockname(listener, (struct sockaddr*)&address, &size) == 0);
  CHECK(guv_accept(listener, NULL, NULL, 0, in_ms(2)) == -ETIMEDOUT);
  guv_thread* client = spawn(connect_to, &address);
  struct sockaddr_in peer;
  size = sizeof peer;
  const int fd = guv_accept(listener, (struct sockaddr*)&peer, &size, SOCK_CLOEXEC, GUV_NEVER);
  CHECK(fd >= 0 && size == sizeof peer && peer.sin_addr.s_addr == address.sin_addr.s_addr);
  char said[3];
  for (size_t got = 0; got < sizeof said;) {
    const ssize_t part = guv_recv(fd, said + got, sizeof said - got, 0, GUV_NEVER);
    CHECK(part > 0);
    got += (size_t)part;
  }
  CHECK(memcmp(said, "abc", 3) == 0);
  join(client);
  close(fd);
  close(listener);
}

// ---- the hub ----------------------------------------------------------------------------------------------------

static void on_hub(void* thread) {
  CHECK(guv_thread_number() == 0);
  CHECK(guv_park(GUV_NEVER) == -EDEADLK || guv_park(GUV_NEVER) == -EPERM);
  CHECK(guv_sleep_until(GUV_NEVER) == -EDEADLK);
  guv_thread_wake(thread);
}

static void hub(void) {
  CHECK(guv_active() && guv_thread_number() == 1 && guv_thread_count() >= 1);
  guv_thread* me = guv_thread_current();
  CHECK(guv_call_on_hub(on_hub, me) == 0);
  CHECK(guv_park(GUV_NEVER) == 0);
  guv_thread_release(me);
  CHECK(guv_uv_loop() && guv_uv_loop() == guv_uv_loop());
}

// ---- the patcher ------------------------------------------------------------------------------------------------

static void* sleep_in_libc(void* argument) {
  usleep(2000);
  return argument;
}

static void patched(void) {
  int ran = 0;
  const guv_task task = {.run = return_argument, .argument = &ran, .dispose = count};
  CHECK(guv_spawn_task(NULL, &task) == 0);
  CHECK(sleep_in_libc(&one) == &one);
  CHECK(ran == 0);
  CHECK(guv_call_patched(sleep_in_libc, &two) == &two);
  CHECK(ran == 1);
}

int main(void) {
  tasks();
  handles();
  kills();
  links();
  parking();
  addresses();
  turns();
  timeouts();
  descriptors();
  hub();
  patched();
  return 0;
}
