// Cancellation ends calls that only a kernel thread can wait in: file locks, a FIFO, System V IPC, objects of several
// processes, a connection by a socket that another process has too. After pthread_cond_wait the mutex is held when the
// cleanup handlers run.
#include "shared.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct shared {
  sem_t semaphore;
  pthread_mutex_t mutex;
  pthread_cond_t cond;
} * shared;
static int queue, connectors[2], turn;
static struct sockaddr_in full;
static char fifo[64], locked[64];
static _Atomic int going;
static const char* const names[] = {"F_OFD_SETLKW", "open", "msgrcv", "sem_wait", "pthread_cond_wait", "connect",
                                    "fsync, in a circle"};
enum { ways = sizeof names / sizeof *names };

static void cleanup(void* argument) {
  const int way = (int)(intptr_t)argument;
  printf("%s: cleanup\n", names[way]);
  if (way != 4) return;
  SHOW_ERROR(pthread_mutex_trylock(&shared->mutex));
  SHOW_ERROR(pthread_mutex_unlock(&shared->mutex));
}

static void* work(void* argument) {
  struct { long type; char text[8]; } message;
  const int way = (int)(intptr_t)argument;
  struct flock all = {.l_type = F_WRLCK};
  const int fd = open(locked, O_RDWR);
  pthread_cleanup_push(cleanup, argument);
  if (way == 4) pthread_mutex_lock(&shared->mutex);
  going = 1;
  switch (way) {
    case 0: fcntl(fd, F_OFD_SETLKW, &all); break;
    case 1: open(fifo, O_RDONLY); break;
    case 2: msgrcv(queue, &message, sizeof message.text, 0, 0); break;
    case 3: sem_wait(&shared->semaphore); break;
    case 4: pthread_cond_wait(&shared->cond, &shared->mutex); break;
    case 5: connect(connectors[turn], (struct sockaddr*)&full, sizeof full); break;
    case 6: for (;;) fsync(fd);
  }
  puts("came back");
  pthread_cleanup_pop(0);
  return NULL;
}

// Disabled, it must not disturb the call.
static void* undisturbed(void* argument) {
  int state;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
  going = 1;
  SHOW(sem_wait(&shared->semaphore));
  pthread_setcancelstate(state, NULL);
  pthread_testcancel();
  return argument;
}

// An address that lets nobody connect: its queue is full.
static void fill_a_listener(void) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  socklen_t size = sizeof full;
  full.sin_family = AF_INET;
  full.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(bind(listener, (struct sockaddr*)&full, sizeof full) == 0 && listen(listener, 0) == 0);
  CHECK(getsockname(listener, (struct sockaddr*)&full, &size) == 0);
  const int only_one = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(connect(only_one, (struct sockaddr*)&full, sizeof full) == 0);
}

int main(void) {
  for (int i = 0; i < 2; i++) connectors[i] = socket(AF_INET, SOCK_STREAM, 0);
  fill_a_listener();
  const pid_t child = fork();  // which has them too
  if (child == 0) {
    pause();
    _exit(1);
  }
  snprintf(fifo, sizeof fifo, "/tmp/guv-away-fifo-%d", getpid());
  snprintf(locked, sizeof locked, "/tmp/guv-away-lock-%d", getpid());
  unlink(fifo);
  CHECK(mkfifo(fifo, 0600) == 0);
  const int held = open(locked, O_RDWR | O_CREAT, 0600);
  struct flock all = {.l_type = F_WRLCK};
  CHECK(fcntl(held, F_OFD_SETLK, &all) == 0);
  queue = msgget(IPC_PRIVATE, 0600);
  shared = share(sizeof *shared);
  CHECK(sem_init(&shared->semaphore, 1, 0) == 0);
  make_shared_mutex(&shared->mutex, (struct kind_of_mutex){.type = PTHREAD_MUTEX_ERRORCHECK});
  make_shared_cond(&shared->cond);
  const struct timespec a_little = {0, 10000000};
  for (intptr_t way = 0; way < ways; way++) {
    for (turn = 0; turn < 2; turn++) {
      going = 0;
      pthread_t thread = start_thread(work, (void*)way);
      while (!going) sched_yield();
      if (turn) nanosleep(&a_little, NULL);  // before it waits, or while it does
      const int error = pthread_cancel(thread);
      const int cancelled = join_thread(thread) == PTHREAD_CANCELED;
      printf("%s, %s\n", errno_name(error), cancelled ? "cancelled" : "not cancelled");
    }
  }
  going = 0;
  pthread_t thread = start_thread(undisturbed, NULL);
  while (!going) sched_yield();
  nanosleep(&a_little, NULL);
  pthread_cancel(thread);
  nanosleep(&a_little, NULL);
  sem_post(&shared->semaphore);
  printf("%s\n", join_thread(thread) == PTHREAD_CANCELED ? "cancelled" : "not cancelled");
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  unlink(fifo);
  unlink(locked);
  msgctl(queue, IPC_RMID, NULL);
  return success();
}
