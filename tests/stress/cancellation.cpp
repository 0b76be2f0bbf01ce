// pthread_cancel, wherever a thread may be: cleanup handlers in order, mutexes held again, destructors run.
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/msg.h>
#include <sys/socket.h>

#include "stress.hpp"

namespace stress::cancellation {

namespace {

/// What its thread waits for never comes.
struct Never {
  sem_t semaphore;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
  int ends[2], sockets[2], message_queue = -1;

  Never() {
    CHECK(sem_init(&semaphore, 0, 0) == 0 && pipe2(ends, O_CLOEXEC) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
  }
  ~Never() {
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0 && close(sockets[0]) == 0 && close(sockets[1]) == 0);
    CHECK(sem_destroy(&semaphore) == 0 && pthread_mutex_destroy(&mutex) == 0);
    if (message_queue >= 0) CHECK(msgctl(message_queue, IPC_RMID, nullptr) == 0);
  }
  Never(const Never&) = delete;
  Never& operator=(const Never&) = delete;
};

constexpr int ways = 11;

void wait_in(Never& never, int way) {
  char byte[8];
  struct {
    long type;
    char text[8];
  } message;
  sigset_t none;
  sigemptyset(&none);
  sigaddset(&none, SIGRTMAX);
  timespec long_time{1000, 0};
  int signal;
  switch (way) {
    case 0: sem_wait(&never.semaphore); break;
    case 1: read(never.ends[0], byte, 1); break;
    case 2: nanosleep(&long_time, nullptr); break;
    case 3: poll(nullptr, 0, 1'000'000); break;
    case 4: pause(); break;
    case 5: recv(never.sockets[0], byte, 1, 0); break;
    case 6: sigwait(&none, &signal); break;
    case 7: msgrcv(never.message_queue, &message, sizeof message.text, 0, 0); break;
    case 8: select(0, nullptr, nullptr, nullptr, nullptr); break;
    case 9: {
      const timespec until = late();
      sem_timedwait(&never.semaphore, &until);
      break;
    }
    default: recv(never.sockets[0], byte, sizeof byte, MSG_WAITALL); break;
  }
}

struct Steps {
  uint64_t taken = 0;
  void take(uint64_t step) { taken = mix(taken ^ step); }
};

}  // namespace

void blocked(Task& task) {
  Never never;
  Steps steps;
  const int way = task.random.below(ways);
  if (way == 7) never.message_queue = msgget(IPC_PRIVATE, 0600);
  std::atomic<bool> going{false};
  Thread waiting([&] {
    pthread_cleanup_push([](void* steps) { static_cast<Steps*>(steps)->take(1); }, &steps);
    pthread_cleanup_push([](void* steps) { pause_for(100); static_cast<Steps*>(steps)->take(2); }, &steps);
    going = true;
    for (;;) wait_in(never, way);
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
  });
  if (task.random.one_in(2)) {
    while (!going) sched_yield();
    dawdle(task.random);
  }
  CHECK(pthread_cancel(waiting.handle()) == 0);
  CHECK(!waiting.join());
  task.saw(steps.taken);
}

void with_mutex(Task& task) {
  Never never;
  std::atomic<bool> going{false};
  bool held = false;
  const bool timed = task.random.one_in(2);
  struct Context {
    Never& never;
    bool& held;
  };
  Thread waiting([&] {
    Context context{never, held};
    CHECK(pthread_mutex_lock(&never.mutex) == 0);
    pthread_cleanup_push(
        [](void* argument) {
          auto* context = static_cast<Context*>(argument);
          context->held = pthread_mutex_trylock(&context->never.mutex) == EBUSY;
          CHECK(pthread_mutex_unlock(&context->never.mutex) == 0);
        },
        &context);
    going = true;
    const timespec until = late();
    for (;;) {
      if (timed) pthread_cond_timedwait(&never.cond, &never.mutex, &until);
      else pthread_cond_wait(&never.cond, &never.mutex);
    }
    pthread_cleanup_pop(0);
  });
  while (!going) sched_yield();
  dawdle(task.random);
  CHECK(pthread_cancel(waiting.handle()) == 0);
  CHECK(!waiting.join());
  CHECK(held);
}

void with_destructors(Task& task) {
  Never never;
  Steps steps;
  std::atomic<bool> going{false};
  const int way = task.random.below(3);
  Thread waiting([&] {
    struct Step {
      Steps& steps;
      uint64_t number;
      ~Step() { steps.take(number); }
    };
    const Step last{steps, 3};
    const Step first{steps, 4};
    try {
      going = true;
      for (;;) wait_in(never, way);
    } catch (...) {
      steps.take(5);
      throw;
    }
  });
  while (!going) sched_yield();
  dawdle(task.random);
  CHECK(pthread_cancel(waiting.handle()) == 0);
  CHECK(!waiting.join());
  task.saw(steps.taken);
}

void disabled(Task& task) {
  Never never;
  std::atomic<bool> going{false};
  bool came_back = false;
  Thread waiting([&] {
    int state;
    CHECK(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state) == 0);
    going = true;
    CHECK(again([&] { return sem_wait(&never.semaphore); }) == 0);
    came_back = true;
    CHECK(pthread_setcancelstate(state, nullptr) == 0);
    for (;;) pthread_testcancel();
  });
  while (!going) sched_yield();
  CHECK(pthread_cancel(waiting.handle()) == 0);
  dawdle(task.random);
  CHECK(sem_post(&never.semaphore) == 0);
  CHECK(!waiting.join() && came_back);
}

}  // namespace stress::cancellation
