// What a C program has of events, semaphores, queues, pools, thread-local variables and servers.
#include <guv/guv.h>

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "check.h"

static int one, two, three;

// ---- events -----------------------------------------------------------------------------------------------------

static void* wait_for_event(void* event) {
  void* value = NULL;
  const int error = guv_event_wait(event, &value, GUV_NEVER);
  return error ? (void*)(intptr_t)error : value;
}

static void events(void) {
  guv_event* event = guv_event_new();
  CHECK(!guv_event_ready(event));
  CHECK(guv_event_wait(event, NULL, in_ms(2)) == -ETIMEDOUT);
  guv_thread* waiter = spawn(wait_for_event, event);
  CHECK(guv_event_send(event, &one) == 0);
  CHECK(guv_event_ready(event));
  CHECK(guv_event_send(event, &two) == -EALREADY);
  CHECK(guv_event_reset(event) == 0);
  CHECK(join(waiter) == &one);
  CHECK(guv_event_send_error(event, -EPIPE) == 0);
  CHECK(guv_event_wait(event, NULL, 0) == -EPIPE);
  CHECK(guv_event_reset(event) == 0);
  waiter = spawn(wait_for_event, event);
  CHECK(guv_thread_kill(waiter) == 0);
  CHECK(join(waiter) == (void*)(intptr_t)-ECANCELED);
  guv_event_free(event);
}

static int links_called;

static void flag_link(guv_tevent* event, void* argument) {
  CHECK(event && argument == &one);
  ++links_called;
}

static void* wait_for_flag(void* event) { return (void*)(intptr_t)guv_tevent_wait(event, GUV_NEVER); }

static void flags(void) {
  guv_tevent* event = guv_tevent_new();
  guv_link_id link = {NULL};
  CHECK(!guv_tevent_unlink(event, link));
  CHECK(guv_tevent_rawlink(event, flag_link, &one, NULL) == 0);
  CHECK(guv_tevent_rawlink(event, flag_link, &one, &link) == 0);
  CHECK(guv_tevent_unlink(event, link) == 1);
  CHECK(guv_tevent_wait(event, in_ms(2)) == -ETIMEDOUT);
  guv_thread* waiter = spawn(wait_for_flag, event);
  CHECK(guv_tevent_set(event) == 0);
  guv_tevent_clear(event);
  CHECK(!guv_tevent_is_set(event));
  CHECK(join(waiter) == NULL);
  CHECK(guv_tevent_set(event) == 0);
  CHECK(guv_sleep_until(in_ms(2)) == 0);
  CHECK(links_called == 2);
  waiter = (guv_tevent_clear(event), spawn(wait_for_flag, event));
  CHECK(guv_thread_kill(waiter) == 0);
  CHECK(join(waiter) == (void*)(intptr_t)-ECANCELED);
  guv_tevent_free(event);
}

static void result_link(guv_async_result* result, void* argument) {
  CHECK(guv_async_result_get(result, argument, 0) == 0);
}

static void* return_argument(void* argument) { return argument; }

static void results(void) {
  guv_async_result* result = guv_async_result_new();
  void* seen = NULL;
  guv_link_id link;
  CHECK(guv_async_result_rawlink(result, result_link, &seen, NULL) == 0);
  CHECK(guv_async_result_rawlink(result, result_link, NULL, &link) == 0);
  CHECK(guv_async_result_unlink(result, link) == 1);
  CHECK(guv_async_result_wait(result, in_ms(2)) == -ETIMEDOUT);
  CHECK(!guv_async_result_ready(result) && !guv_async_result_successful(result) && guv_async_result_error(result) == 0);
  guv_thread* thread;
  CHECK(guv_spawn(&thread, return_argument, &two) == 0);
  CHECK(guv_thread_link(thread, guv_async_result_take, result) == 0);
  void* value = NULL;
  CHECK(guv_async_result_get(result, &value, GUV_NEVER) == 0 && value == &two);
  CHECK(guv_async_result_ready(result) && guv_async_result_successful(result));
  CHECK(guv_async_result_set(result, NULL) == -EALREADY);
  CHECK(guv_sleep_until(in_ms(2)) == 0);
  CHECK(seen == &two);
  join(thread);
  guv_async_result_free(result);

  result = guv_async_result_new();
  CHECK(guv_async_result_set_error(result, -EIO) == 0);
  CHECK(guv_async_result_wait(result, 0) == 0);
  CHECK(guv_async_result_get(result, &value, 0) == -EIO);
  CHECK(!guv_async_result_successful(result) && guv_async_result_error(result) == -EIO);
  guv_async_result_free(result);
}

// ---- semaphores -------------------------------------------------------------------------------------------------

static void* acquire(void* semaphore) { return (void*)(intptr_t)guv_semaphore_acquire(semaphore, GUV_NEVER); }
static void* give(void* semaphore) { return (void*)(intptr_t)guv_capped_semaphore_release(semaphore, GUV_NEVER); }

static void semaphores(void) {
  CHECK(!guv_semaphore_new(-1));
  guv_semaphore* semaphore = guv_semaphore_new(1);
  CHECK(guv_semaphore_acquire(semaphore, 0) == 0);
  CHECK(guv_semaphore_locked(semaphore));
  CHECK(guv_semaphore_acquire(semaphore, 0) == -ETIMEDOUT);
  CHECK(guv_semaphore_acquire(semaphore, in_ms(2)) == -ETIMEDOUT);
  guv_thread* killed = spawn(acquire, semaphore);
  guv_thread* waiter = spawn(acquire, semaphore);
  CHECK(guv_semaphore_balance(semaphore) == -2);
  CHECK(guv_thread_kill(killed) == 0);
  CHECK(join(killed) == (void*)(intptr_t)-ECANCELED);
  CHECK(guv_semaphore_release(semaphore) == 0);
  CHECK(join(waiter) == NULL);
  CHECK(guv_semaphore_release(semaphore) == 0 && guv_semaphore_release(semaphore) == 0);
  CHECK(guv_semaphore_balance(semaphore) == 2);
  guv_semaphore_free(semaphore);

  guv_semaphore* bounded = guv_bounded_semaphore_new(1);
  CHECK(guv_semaphore_release(bounded) == -ERANGE);
  guv_semaphore_free(bounded);

  CHECK(!guv_capped_semaphore_new(2, 1));
  guv_capped_semaphore* capped = guv_capped_semaphore_new(1, 1);
  CHECK(guv_capped_semaphore_bounded(capped) && !guv_capped_semaphore_locked(capped));
  CHECK(guv_capped_semaphore_release(capped, in_ms(2)) == -ETIMEDOUT);
  guv_thread* giver = spawn(give, capped);
  CHECK(guv_capped_semaphore_balance(capped) == 2);
  CHECK(guv_capped_semaphore_acquire(capped, GUV_NEVER) == 0);
  CHECK(join(giver) == NULL);
  guv_capped_semaphore_free(capped);
}

// ---- queues -----------------------------------------------------------------------------------------------------

static void* get(void* queue) {
  void* item = NULL;
  const int error = guv_queue_get(queue, &item, GUV_NEVER);
  return error ? (void*)(intptr_t)error : item;
}
static void* put(void* queue) { return (void*)(intptr_t)guv_queue_put(queue, &three, GUV_NEVER); }
static void* finish(void* queue) { return (void*)(intptr_t)guv_queue_task_done(queue); }

static int compare_addresses(const void* a, const void* b) { return (a > b) - (a < b); }

static void queues(void) {
  void* item = NULL;
  guv_queue* queue = guv_queue_new(2);
  CHECK(guv_queue_get(queue, &item, 0) == -EAGAIN);
  CHECK(guv_queue_get(queue, &item, in_ms(2)) == -ETIMEDOUT);
  CHECK(guv_queue_put(queue, &one, 0) == 0 && guv_queue_put(queue, &two, GUV_NEVER) == 0);
  CHECK(guv_queue_full(queue) && guv_queue_size(queue) == 2);
  CHECK(guv_queue_put(queue, &three, 0) == -EAGAIN);
  CHECK(guv_queue_put(queue, &three, in_ms(2)) == -ETIMEDOUT);
  guv_thread* killed = spawn(put, queue);
  guv_thread* putter = spawn(put, queue);
  CHECK(guv_queue_putting(queue) == 2);
  CHECK(guv_thread_kill(killed) == 0);
  CHECK(join(killed) == (void*)(intptr_t)-ECANCELED);
  CHECK(guv_queue_resize(queue, -1) == 0);
  CHECK(join(putter) == NULL);
  CHECK(guv_queue_get(queue, &item, 0) == 0 && item == &one);
  CHECK(guv_queue_get(queue, &item, 0) == 0 && item == &two);
  CHECK(guv_queue_get(queue, &item, 0) == 0 && item == &three);
  guv_thread* getter = spawn(get, queue);
  CHECK(guv_queue_getting(queue) == 1);
  CHECK(guv_queue_put(queue, &one, 0) == 0);
  CHECK(join(getter) == &one);
  CHECK(guv_queue_join(queue, in_ms(2)) == -ETIMEDOUT);
  for (int i = 0; i < 3; ++i) CHECK(guv_queue_task_done(queue) == 0);
  guv_thread* last = spawn(finish, queue);
  CHECK(guv_queue_join(queue, GUV_NEVER) == 0);
  CHECK(join(last) == NULL);
  CHECK(guv_queue_task_done(queue) == -EINVAL);
  guv_queue_free(queue);

  guv_queue* channel = guv_queue_new(0);
  CHECK(guv_queue_full(channel) && guv_queue_size(channel) == 0);
  putter = spawn(put, channel);
  CHECK(guv_queue_get(channel, &item, 0) == 0 && item == &three);
  CHECK(join(putter) == NULL);
  guv_queue_free(channel);

  int numbers[3];
  guv_queue* lifo = guv_lifo_queue_new(-1);
  guv_queue* priority = guv_priority_queue_new(-1, compare_addresses);
  for (int i = 0; i < 3; ++i) CHECK(guv_queue_put(lifo, &numbers[i], 0) == 0);
  for (int i = 0; i < 3; ++i) CHECK(guv_queue_get(lifo, &item, 0) == 0 && guv_queue_put(priority, item, 0) == 0);
  for (int i = 0; i < 3; ++i) CHECK(guv_queue_get(priority, &item, 0) == 0 && item == &numbers[i]);
  guv_queue_free(lifo);
  guv_queue_free(priority);
}

// ---- pools ------------------------------------------------------------------------------------------------------

static void* wait_for_all(void* pool) { return (void*)(intptr_t)guv_pool_waitall(pool, GUV_NEVER); }

static void* spawn_inside(void* pool) {
  guv_thread* thread;
  CHECK(guv_pool_spawn(pool, &thread, return_argument, &three) == 0);
  CHECK(!guv_thread_is_alive(thread));
  return join(thread);
}

struct numbers {
  int values[10];
  int given;
};

static int next_number(void* argument, void** item) {
  struct numbers* numbers = argument;
  if (numbers->given == 10) return 0;
  *item = &numbers->values[numbers->given++];
  return 1;
}

static void* square(void* item) {
  int* number = item;
  CHECK(guv_yield() == 0);
  *number *= *number;
  return number;
}

static void pools(void) {
  guv_pool* pool = guv_pool_new(1);
  guv_tevent* go = guv_tevent_new();
  CHECK(guv_pool_waitall(pool, GUV_NEVER) == 0);
  CHECK(guv_pool_available(pool) == 1);
  CHECK(guv_pool_spawn(pool, NULL, wait_for_flag, go) == 0);
  CHECK(guv_pool_running(pool) == 1 && guv_pool_available(pool) == 0 && guv_pool_waiting(pool) == 0);
  CHECK(guv_pool_waitall(pool, in_ms(2)) == -ETIMEDOUT);
  guv_pool_resize(pool, 2);
  guv_thread* thread;
  CHECK(guv_pool_spawn(pool, &thread, wait_for_all, pool) == 0);
  CHECK(join(thread) == (void*)(intptr_t)-EDEADLK);
  CHECK(guv_tevent_set(go) == 0);
  CHECK(guv_pool_waitall(pool, GUV_NEVER) == 0);
  guv_tevent_free(go);
  guv_pool_resize(pool, 1);
  CHECK(guv_pool_spawn(pool, &thread, spawn_inside, pool) == 0);
  CHECK(join(thread) == &three);
  CHECK(guv_pool_waitall(pool, GUV_NEVER) == 0);

  void* result = NULL;
  guv_pool_resize(pool, 3);
  guv_pile* pile = guv_pile_new(pool);
  CHECK(guv_pile_next(pile, &result) == 0);
  CHECK(guv_pile_spawn(pile, return_argument, &one) == 0 && guv_pile_spawn(pile, return_argument, &two) == 0);
  CHECK(guv_pile_next(pile, &result) == 1 && result == &one);
  CHECK(guv_pile_next(pile, &result) == 1 && result == &two);
  CHECK(guv_pile_next(pile, &result) == 0);
  CHECK(guv_pile_spawn(pile, return_argument, &one) == 0);
  guv_pile_free(pile);

  struct numbers numbers = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 0};
  guv_pile* squares = guv_starmap_new(pool, square, next_number, &numbers);
  for (int i = 0; i < 10; ++i) {
    CHECK(guv_pile_next(squares, &result) == 1 && *(int*)result == i * i);
    CHECK(numbers.given <= i + 3);
  }
  CHECK(guv_pile_next(squares, &result) == 0);
  guv_pool_free(pool);
  guv_pile_free(squares);
}

// ---- thread-local variables -------------------------------------------------------------------------------------

static int destroyed;
static void destroy(void* value) { destroyed += value == &two; }

static void* use_local(void* local) {
  CHECK(guv_local_get(local) == NULL);
  CHECK(guv_local_set(local, &two) == 0);
  return guv_local_get(local);
}

static void locals(void) {
  guv_local* local;
  CHECK(guv_local_new(&local, destroy) == 0);
  CHECK(guv_local_set(local, &one) == 0);
  CHECK(join(spawn(use_local, local)) == &two);
  CHECK(guv_yield() == 0);
  CHECK(destroyed == 1);
  CHECK(guv_local_get(local) == &one);
  guv_local_free(local);
}

// ---- the lock ---------------------------------------------------------------------------------------------------

static guv_lock lock;
static long shared;

static void* add(void* argument) {
  for (int i = 0; i < 100000; ++i) {
    guv_lock_acquire(&lock);
    ++shared;
    guv_lock_release(&lock);
  }
  return argument;
}

static void locks(void) {
  guv_thread* threads[4];
  for (int i = 0; i < 4; ++i) threads[i] = spawn(add, NULL);
  void* result;
  CHECK(guv_offload(add, NULL, &result) == 0);
  for (int i = 0; i < 4; ++i) join(threads[i]);
  CHECK(shared == 500000);
}

// ---- servers ----------------------------------------------------------------------------------------------------

static int answer(int fd, const struct sockaddr* peer, socklen_t size, void* answered) {
  CHECK(peer->sa_family == AF_INET && size == sizeof(struct sockaddr_in));
  char byte;
  CHECK(guv_recv(fd, &byte, 1, 0, GUV_NEVER) == 1);
  CHECK(guv_send(fd, &byte, 1, 0, GUV_NEVER) == 1);
  ++*(int*)answered;
  return byte == '.';
}

static void* ask(void* argument) {
  const struct sockaddr_in* server = argument;
  for (const char* word = "ab."; *word; ++word) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(guv_connect(fd, (const struct sockaddr*)server, sizeof *server, GUV_NEVER) == 0);
    char said[2];
    CHECK(guv_send(fd, word, 1, 0, GUV_NEVER) == 1);
    CHECK(guv_recv(fd, said, 1, 0, GUV_NEVER) == 1 && said[0] == *word);
    CHECK(guv_recv(fd, said, 1, 0, GUV_NEVER) == 0);
    close(fd);
  }
  return NULL;
}

static void* serve(void* listener) { return (void*)(intptr_t)guv_serve(*(int*)listener, answer, NULL, 1); }

static void servers(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = guv_listen((const struct sockaddr*)&address, size, 10);
  CHECK(listener >= 0);
  CHECK(getsockname(listener, (struct sockaddr*)&address, &size) == 0);
  CHECK(guv_listen((const struct sockaddr*)&address, size, 10) == -EADDRINUSE);
  guv_thread* client = spawn(ask, &address);
  int answered = 0;
  CHECK(guv_serve(listener, answer, &answered, 10) == 0);
  join(client);
  CHECK(answered == 3);

  guv_thread* server = spawn(serve, &listener);
  CHECK(guv_thread_kill(server) == 0);
  CHECK(join(server) == (void*)(intptr_t)-ECANCELED);
  server = spawn(serve, &listener);
  CHECK(shutdown(listener, SHUT_RD) == 0);
  CHECK(join(server) == (void*)(intptr_t)-EINVAL);
  close(listener);
  CHECK(guv_serve(-1, answer, NULL, 10) == -EBADF);
}

int main(void) {
  events();
  flags();
  results();
  semaphores();
  queues();
  pools();
  locals();
  locks();
  servers();
  return 0;
}
