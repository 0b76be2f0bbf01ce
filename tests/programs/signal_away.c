// A handler runs in the thread that it was sent to while that waits for a file lock, a FIFO, System V IPC, a semaphore of
// several processes or the CPU clock, or for what it has sent to arrive; the call then ends with EINTR or goes on, as
// signal(7) says, or just ends (close).
#include "pairs.h"
#include "shared.h"
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/stat.h>

enum { by_flock, by_setlkw, by_fifo, by_msgrcv, by_semop, by_sem, by_sem_timed, by_cpu_clock, by_close, ways };
static const char* const names[] = {"flock", "F_OFD_SETLKW", "open", "msgrcv", "semop", "sem_wait", "sem_timedwait", "clock_nanosleep", "close"};
static const int restarts[] = {1, 1, 1, 0, 0, 1, 0, 0, 0};
static int queue, set, held, flags;
static char fifo[64], locked[64];
static sem_t* shared;
static _Atomic int ran, going, back;
static pthread_t runner;

static void handler(int number) {
  (void)number;
  ran = 1 + (pthread_equal(pthread_self(), runner) != 0);
}

static void set_handler(int with_flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = with_flags};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
}

/// Nobody reads what it has sent.
static int lingering_socket(int* peer) {
  int ends[2];
  char data[65536] = "";
  const struct linger minute = {1, 60};
  tcp_pair(ends);
  while (send(ends[0], data, sizeof data, MSG_DONTWAIT) > 0) continue;
  CHECK(setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &minute, sizeof minute) == 0);
  *peer = ends[1];
  return ends[0];
}

static int wait_by(int way) {
  struct { long type; char text[8]; } message;
  struct sembuf down = {0, -1, 0};
  struct timespec minute = {60, 0}, until = in_milliseconds(CLOCK_REALTIME, 60000);
  int fd, result, error;
  switch (way) {
    case by_flock:
    case by_setlkw: {
      struct flock all = {.l_type = F_WRLCK};
      fd = open(locked, O_RDWR);
      result = way == by_flock ? flock(fd, LOCK_EX) : fcntl(fd, F_OFD_SETLKW, &all);
      error = errno;
      close(fd);
      errno = error;
      return result;
    }
    case by_fifo:
      fd = open(fifo, O_RDONLY);
      if (fd >= 0) close(fd);
      return fd < 0 ? -1 : 0;
    case by_msgrcv: return msgrcv(queue, &message, sizeof message.text, 0, 0) < 0 ? -1 : 0;
    case by_semop: return semop(set, &down, 1);
    case by_sem: return sem_wait(shared);
    case by_sem_timed: return sem_timedwait(shared, &until);
    case by_close: {
      int peer;
      const int end = lingering_socket(&peer);
      errno = 0;
      result = close(end);
      error = errno;
      close(peer);
      errno = error;
      return result;
    }
    default: errno = clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &minute, NULL); return errno ? -1 : 0;
  }
}

static void release(int way) {
  struct { long type; char text[8]; } message = {1, "x"};
  struct sembuf up = {0, 1, 0};
  switch (way) {
    case by_flock: flock(held, LOCK_UN); break;
    case by_setlkw: {
      struct flock none = {.l_type = F_UNLCK};
      fcntl(held, F_OFD_SETLK, &none);
      break;
    }
    case by_fifo: close(open(fifo, O_WRONLY)); break;
    case by_msgrcv: msgsnd(queue, &message, 1, 0); break;
    case by_semop: semop(set, &up, 1); break;
    case by_sem:
    case by_sem_timed: sem_post(shared); break;
  }
}

static void* work(void* argument) {
  const int way = (int)(intptr_t)argument;
  runner = pthread_self();
  going = 1;
  errno = 0;
  const int result = wait_by(way);
  const int error = errno;
  printf("%s, %s: %d %s, handler %s\n", names[way], flags ? "SA_RESTART" : "no restart", result,
         result ? errno_name(error) : "", ran == 2 ? "in the thread" : ran ? "elsewhere" : "did not run");
  back = 1;
  return NULL;
}

int main(void) {
  snprintf(fifo, sizeof fifo, "/tmp/guv-away-fifo-%d", getpid());
  snprintf(locked, sizeof locked, "/tmp/guv-away-lock-%d", getpid());
  CHECK(mkfifo(fifo, 0600) == 0);
  held = open(locked, O_RDWR | O_CREAT, 0600);
  queue = msgget(IPC_PRIVATE, 0600);
  set = semget(IPC_PRIVATE, 1, 0600);
  shared = share(sizeof *shared);
  CHECK(held >= 0 && queue >= 0 && set >= 0 && sem_init(shared, 1, 0) == 0);
  for (int way = 0; way < ways; way++) {
    struct flock all = {.l_type = F_WRLCK};
    for (int again = 0; again < 2; again++) {
      if (way == by_flock) CHECK(flock(held, LOCK_EX) == 0);
      if (way == by_setlkw) CHECK(fcntl(held, F_OFD_SETLK, &all) == 0);
      flags = again ? SA_RESTART : 0;
      set_handler(flags);
      ran = going = back = 0;
      pthread_t thread = start_thread(work, (void*)(intptr_t)way);
      while (!going) sched_yield();
      const struct timespec a_little = {0, 10000000};
      nanosleep(&a_little, NULL);
      pthread_kill(thread, SIGUSR1);
      while (!ran) {
        nanosleep(&a_little, NULL);
      }
      if (flags && restarts[way]) {
        nanosleep(&a_little, NULL);
        CHECK(!back);
        release(way);
      }
      join_thread(thread);
      if (way == by_flock) flock(held, LOCK_UN);
      if (way == by_setlkw && !flags) release(way);
    }
  }
  unlink(fifo);
  unlink(locked);
  msgctl(queue, IPC_RMID, NULL);
  semctl(set, 0, IPC_RMID);
  return success();
}
