// Mutexes of all kinds, condition variables, read-write locks, semaphores, barriers, once; C++'s own.
#include <semaphore.h>
#include <sys/mman.h>

#include <barrier>
#include <condition_variable>
#include <latch>
#include <mutex>
#include <new>
#include <shared_mutex>

#include "stress.hpp"

namespace stress::locks {

namespace {

/// Two numbers that are equal whenever nobody is in the middle of adding to both.
struct Pair {
  uint64_t left = 0, right = 0;
  std::atomic<uint64_t> wanted{0};

  void add(Random& random) {
    CHECK(left == right);
    ++left;
    dawdle(random);
    ++right;
    CHECK(left == right);
  }
  void settle(const char* name) const {
    CHECK(left == wanted && right == wanted);
    printf("%s: %llu\n", name, static_cast<unsigned long long>(left));
  }
};

struct Guarded : Pair {
  pthread_mutex_t mutex;
};

enum MutexKind { normal, recursive, error_checking, adaptive, robust, inheriting, process_shared, mutex_kinds };
constexpr const char* mutex_names[] = {"normal", "recursive", "error-checking", "adaptive", "robust", "inheriting", "process-shared"};
Guarded* guarded[mutex_kinds];

void set_kind(pthread_mutexattr_t& attributes, int kind) {
  switch (kind) {
    case recursive: CHECK(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE) == 0); break;
    case error_checking: CHECK(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK) == 0); break;
    case adaptive: CHECK(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP) == 0); break;
    case robust: CHECK(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0); break;
    case inheriting: CHECK(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT) == 0); break;
    case process_shared: CHECK(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0); break;
    default: break;
  }
}

void make_mutex(pthread_mutex_t& mutex, int kind) {
  pthread_mutexattr_t attributes;
  CHECK(pthread_mutexattr_init(&attributes) == 0);
  set_kind(attributes, kind);
  CHECK(pthread_mutex_init(&mutex, &attributes) == 0);
  CHECK(pthread_mutexattr_destroy(&attributes) == 0);
}

/// In one of the ways there are; all succeed in the end.
void lock(pthread_mutex_t& mutex, Random& random) {
  const timespec until = late();
  const timespec monotonic = late(CLOCK_MONOTONIC);
  switch (random.below(4)) {
    case 0:
      for (int error; (error = pthread_mutex_trylock(&mutex)) != 0; sched_yield()) CHECK(error == EBUSY);
      break;
    case 1: CHECK(pthread_mutex_timedlock(&mutex, &until) == 0); break;
    case 2: CHECK(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &monotonic) == 0); break;
    default: CHECK(pthread_mutex_lock(&mutex) == 0); break;
  }
}

// A queue of few places. Everybody puts something in and then takes something out, so nobody waits for ever.
struct Queue {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t has_room = PTHREAD_COND_INITIALIZER, has_some = PTHREAD_COND_INITIALIZER;
  uint64_t places[5];
  int count = 0;
  uint64_t in = 0, out = 0;
} shared_queue;

void wait(pthread_cond_t& cond, pthread_mutex_t& mutex, bool timed) {
  const timespec until = late();
  CHECK((timed ? pthread_cond_timedwait(&cond, &mutex, &until) : pthread_cond_wait(&cond, &mutex)) == 0);
}

struct : Pair {
  pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
} written;

constexpr int permits = 7;
sem_t permit;
std::atomic<int> inside{0};

constexpr int once_count = 300;
struct Once {
  pthread_once_t control = PTHREAD_ONCE_INIT;
  std::atomic<int> times{0};
} onces[once_count];
thread_local Once* current_once;

void initialise_once() {
  pause_for(300);
  ++current_once->times;
}

}  // namespace

void prepare() {
  void* memory = mmap(nullptr, sizeof(Guarded) * mutex_kinds, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  for (int kind = 0; kind < mutex_kinds; ++kind) {
    guarded[kind] = new (static_cast<Guarded*>(memory) + kind) Guarded;
    make_mutex(guarded[kind]->mutex, kind);
  }
  CHECK(sem_init(&permit, 0, permits) == 0);
}

void begin_round() {
  for (Once& once : onces) {
    once.control = PTHREAD_ONCE_INIT;
    once.times = 0;
  }
}

void settle() {
  for (int kind = 0; kind < mutex_kinds; ++kind) guarded[kind]->settle(mutex_names[kind]);
  written.settle("written");
  CHECK(shared_queue.count == 0 && shared_queue.in == shared_queue.out);
  printf("queued: %llu\n", static_cast<unsigned long long>(shared_queue.in));
  int value;
  CHECK(sem_getvalue(&permit, &value) == 0 && value == permits && inside == 0);
}

void mutex(Task& task) {
  const int kind = task.random.below(mutex_kinds);
  Guarded& it = *guarded[kind];
  ++it.wanted;
  lock(it.mutex, task.random);
  const int more = kind == recursive ? task.random.below(3) : 0;
  for (int i = 0; i < more; ++i) CHECK(pthread_mutex_lock(&it.mutex) == 0);
  it.add(task.random);
  for (int i = 0; i < more; ++i) CHECK(pthread_mutex_unlock(&it.mutex) == 0);
  CHECK(pthread_mutex_unlock(&it.mutex) == 0);
  task.saw(static_cast<uint64_t>(more));
}

void mutex_errors(Task& task) {
  const int kind = task.random.below(mutex_kinds);
  pthread_mutex_t mutex;
  make_mutex(mutex, kind);
  lock(mutex, task.random);
  Thread other([&] {
    task.saw(static_cast<uint64_t>(pthread_mutex_trylock(&mutex)));
    if (kind == error_checking || kind == recursive || kind == robust) task.saw(static_cast<uint64_t>(pthread_mutex_unlock(&mutex)));
    const timespec until = soon(task.random);
    task.saw(static_cast<uint64_t>(pthread_mutex_timedlock(&mutex, &until)));
  });
  other.join();
  if (kind == error_checking) task.saw(static_cast<uint64_t>(pthread_mutex_lock(&mutex)));
  task.saw(static_cast<uint64_t>(pthread_mutex_unlock(&mutex)));
  task.saw(static_cast<uint64_t>(pthread_mutex_destroy(&mutex)));
}

void robust_mutex(Task& task) {
  pthread_mutex_t mutex;
  make_mutex(mutex, robust);
  std::atomic<bool> held{false};
  Thread owner([&] {
    CHECK(pthread_mutex_lock(&mutex) == 0);
    held = true;
    dawdle(task.random);
  });
  while (!held) sched_yield();
  task.saw(static_cast<uint64_t>(pthread_mutex_lock(&mutex)));
  owner.join();
  const bool repaired = task.random.one_in(2);
  if (repaired) CHECK(pthread_mutex_consistent(&mutex) == 0);
  CHECK(pthread_mutex_unlock(&mutex) == 0);
  task.saw(static_cast<uint64_t>(pthread_mutex_trylock(&mutex)));
  if (repaired) CHECK(pthread_mutex_unlock(&mutex) == 0);
  CHECK(pthread_mutex_destroy(&mutex) == 0);
}

void rwlock(Task& task) {
  const timespec until = late();
  if (task.random.one_in(3)) {
    ++written.wanted;
    CHECK((task.random.one_in(2) ? pthread_rwlock_wrlock(&written.lock) : pthread_rwlock_timedwrlock(&written.lock, &until)) == 0);
    written.add(task.random);
  } else {
    CHECK((task.random.one_in(2) ? pthread_rwlock_rdlock(&written.lock) : pthread_rwlock_timedrdlock(&written.lock, &until)) == 0);
    const uint64_t before = written.left;
    dawdle(task.random);
    CHECK(written.left == before && written.right == before);
  }
  CHECK(pthread_rwlock_unlock(&written.lock) == 0);
}

void queue(Task& task) {
  Queue& it = shared_queue;
  constexpr int places = sizeof it.places / sizeof *it.places;
  const bool timed = task.random.one_in(2);
  const uint64_t value = task.random.next();
  CHECK(pthread_mutex_lock(&it.mutex) == 0);
  while (it.count == places) wait(it.has_room, it.mutex, timed);
  it.places[it.count++] = value;
  it.in += value;
  CHECK(pthread_cond_signal(&it.has_some) == 0);
  CHECK(pthread_mutex_unlock(&it.mutex) == 0);
  dawdle(task.random);
  CHECK(pthread_mutex_lock(&it.mutex) == 0);
  while (it.count == 0) wait(it.has_some, it.mutex, timed);
  it.out += it.places[--it.count];
  CHECK((task.random.one_in(2) ? pthread_cond_signal(&it.has_room) : pthread_cond_broadcast(&it.has_room)) == 0);
  CHECK(pthread_mutex_unlock(&it.mutex) == 0);
}

void gate(Task& task) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
  bool open = false;
  int through = 0;
  const auto pass = [&] {
    CHECK(pthread_mutex_lock(&mutex) == 0);
    while (!open) wait(opened, mutex, false);
    ++through;
    CHECK(pthread_mutex_unlock(&mutex) == 0);
  };
  {
    const Thread first(pass), second(pass), third(pass);
    dawdle(task.random);
    CHECK(pthread_mutex_lock(&mutex) == 0);
    open = true;
    CHECK(pthread_cond_broadcast(&opened) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
  }
  task.saw(static_cast<uint64_t>(through));
  CHECK(pthread_cond_destroy(&opened) == 0 && pthread_mutex_destroy(&mutex) == 0);
}

// What nobody will give: each wait ends by its time-out, and not before.
void timed_out(Task& task) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
  sem_t none;
  CHECK(sem_init(&none, 0, 0) == 0);
  const clockid_t clock = task.random.one_in(2) ? CLOCK_REALTIME : CLOCK_MONOTONIC;
  const timespec until = soon(task.random, clock);
  int error = 0;
  switch (task.random.below(3)) {
    case 0:
      CHECK(pthread_mutex_lock(&mutex) == 0);
      while (error == 0) error = pthread_cond_clockwait(&cond, &mutex, clock, &until);
      CHECK(pthread_mutex_unlock(&mutex) == 0);
      break;
    case 1:
      CHECK(again([&] { return sem_clockwait(&none, clock, &until); }) == -1);
      error = errno;
      break;
    default:
      CHECK(pthread_mutex_lock(&mutex) == 0);
      error = pthread_mutex_clocklock(&mutex, clock, &until);
      CHECK(pthread_mutex_unlock(&mutex) == 0);
      break;
  }
  timespec now;
  clock_gettime(clock, &now);
  CHECK(now.tv_sec > until.tv_sec || (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec));
  task.saw(static_cast<uint64_t>(error));
  CHECK(sem_destroy(&none) == 0 && pthread_cond_destroy(&cond) == 0 && pthread_mutex_destroy(&mutex) == 0);
}

void semaphore(Task& task) {
  const timespec until = late();
  switch (task.random.below(3)) {
    case 0: CHECK(again([] { return sem_wait(&permit); }) == 0); break;
    case 1: CHECK(again([&] { return sem_timedwait(&permit, &until); }) == 0); break;
    default:
      while (sem_trywait(&permit) != 0) {
        CHECK(errno == EAGAIN || errno == EINTR);
        sched_yield();
      }
  }
  CHECK(++inside <= permits);
  dawdle(task.random);
  --inside;
  CHECK(sem_post(&permit) == 0);
}

void barrier(Task& task) {
  const int times = task.random.from(1, 4);
  pthread_barrier_t barrier;
  CHECK(pthread_barrier_init(&barrier, nullptr, 3) == 0);
  std::atomic<int> arrivals{0}, serial{0};
  const auto meet = [&, times] {
    for (int i = 1; i <= times; ++i) {
      ++arrivals;
      const int result = pthread_barrier_wait(&barrier);
      if (result == PTHREAD_BARRIER_SERIAL_THREAD) ++serial;
      CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
      CHECK(arrivals >= 3 * i);
    }
  };
  {
    const Thread first(meet), second(meet);
    meet();
  }
  task.saw(static_cast<uint64_t>(serial.load()));
  CHECK(pthread_barrier_destroy(&barrier) == 0);
}

void once(Task& task) {
  current_once = &onces[task.random.below(once_count)];
  CHECK(pthread_once(&current_once->control, &initialise_once) == 0);
  CHECK(current_once->times == 1);
}

void cxx(Task& task) {
  static std::mutex exclusive;
  static std::condition_variable_any changed;
  static std::shared_mutex shared;
  const int wanted = task.random.below(1000);
  std::atomic<int> word{0};
  std::latch done(1);
  std::barrier<> both(2);
  Thread other([&] {
    word.wait(0);
    both.arrive_and_wait();
    std::shared_lock reading(shared);
    done.count_down();
  });
  {
    std::unique_lock lock(exclusive);
    CHECK(!changed.wait_for(lock, std::chrono::milliseconds(1), [] { return false; }));
  }
  word = wanted + 1;
  word.notify_all();
  both.arrive_and_wait();
  {
    std::unique_lock writing(shared);
    dawdle(task.random);
  }
  done.wait();
  other.join();
  task.saw(static_cast<uint64_t>(word.load()));
}

}  // namespace stress::locks
