// POSIX message queues and System V messages and semaphores between threads: waiting, timing out, priorities.
#include "check.h"
#include <fcntl.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

static mqd_t queue;
static int messages, semaphores;
static void* receive(void* argument) {
  char text[64];
  unsigned priority;
  long sum = 0;
  for (int i = 0; i < 100; i++) {
    CHECK(mq_receive(queue, text, sizeof text, &priority) == 5);
    sum += priority;
  }
  CHECK(argument == NULL);
  return (void*)sum;
}
struct message { long type; char text[20]; };
static void* receive_sysv(void* argument) {
  struct message message;
  CHECK(msgrcv(messages, &message, sizeof message.text, 7, 0) == 5);
  struct sembuf take = {0, -3, 0};
  CHECK(semop(semaphores, &take, 1) == 0);
  return argument;
}

int main(void) {
  char name[64];
  snprintf(name, sizeof name, "/guv-test-%d", (int)getpid());
  struct mq_attr attributes = {.mq_maxmsg = 4, .mq_msgsize = 64};
  queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
  CHECK(queue != (mqd_t)-1);
  mq_unlink(name);
  pthread_t thread = start_thread(receive, NULL);
  let_others_run();
  for (unsigned i = 0; i < 100; i++) CHECK(mq_send(queue, "hello", 5, i % 3) == 0);
  printf("priorities: %ld\n", (long)join_thread(thread));
  char text[64];
  struct timespec until = in_milliseconds(CLOCK_REALTIME, 50);
  double began = seconds_now();
  SHOW(mq_timedreceive(queue, text, sizeof text, NULL, &until));
  CHECK_TOOK(began, 50);
  for (int i = 0; i < 4; i++) CHECK(mq_send(queue, "x", 1, 0) == 0);
  until = in_milliseconds(CLOCK_REALTIME, 50);
  SHOW(mq_timedsend(queue, "x", 1, 0, &until));
  SHOW(mq_receive(queue, text, 3, NULL));
  SHOW(mq_close(queue));

  messages = msgget(IPC_PRIVATE, 0600);
  semaphores = semget(IPC_PRIVATE, 1, 0600);
  CHECK(messages >= 0 && semaphores >= 0);
  thread = start_thread(receive_sysv, NULL);
  let_others_run();
  struct message message = {7, "12345"};
  CHECK(msgsnd(messages, &message, 5, 0) == 0);
  struct sembuf give = {0, 1, 0}, too_many = {0, -9, 0};
  for (int i = 0; i < 3; i++) {
    let_others_run();
    CHECK(semop(semaphores, &give, 1) == 0);
  }
  join_thread(thread);
  struct timespec time = {0, 50000000};
  began = seconds_now();
  SHOW(semtimedop(semaphores, &too_many, 1, &time));
  CHECK_TOOK(began, 50);
  SHOW(msgrcv(messages, &message, 20, 0, IPC_NOWAIT));
  SHOW(msgctl(messages, IPC_RMID, NULL));
  SHOW(semctl(semaphores, 0, IPC_RMID));
  return success();
}
