// Threads that start threads; what is a thread's own; C++'s exceptions and futures; dlopen.
#include <dlfcn.h>
#include <semaphore.h>

#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "stress.hpp"

namespace stress::threads {

pthread_rwlock_t loading = PTHREAD_RWLOCK_INITIALIZER;

namespace {

constexpr int key_count = 6;
pthread_key_t key[key_count];
std::atomic<uint64_t> destroyed{0}, to_destroy{0};
char library_path[4096];

void add_up(void* value) { destroyed += reinterpret_cast<uintptr_t>(value); }

void* sum_of_children(void* depth) {
  const auto left = reinterpret_cast<intptr_t>(depth);
  if (left == 0) return reinterpret_cast<void*>(1);
  intptr_t sum = 1;
  pthread_t children[2];
  for (pthread_t& child : children) child = start_thread(sum_of_children, reinterpret_cast<void*>(left - 1));
  for (const pthread_t child : children) sum += reinterpret_cast<intptr_t>(join_thread(child));
  return reinterpret_cast<void*>(sum);
}

struct Dawdles {  // also while an exception is in flight
  Random& random;
  int& left;
  ~Dawdles() {
    dawdle(random);
    ++left;
  }
};

void fail_deep_down(Random& random, int depth, int& left) {
  const Dawdles dawdles{random, left};
  if (depth == 0) throw std::runtime_error(std::to_string(random.below(1000)));
  fail_deep_down(random, depth - 1, left);
}

thread_local int variable = 17;
thread_local std::string text = "own";

}  // namespace

void prepare() {
  for (pthread_key_t& one : key) CHECK(pthread_key_create(&one, &add_up) == 0);
  CHECK(readlink("/proc/self/exe", library_path, sizeof library_path - 32) > 0);
  strcpy(strrchr(library_path, '/') + 1, "stress_library.so");
}

void settle() {
  CHECK(destroyed == to_destroy);
  printf("destroyed: %llu\n", static_cast<unsigned long long>(destroyed.load()));
}

void create_join(Task& task) {
  switch (task.random.below(3)) {
    case 0: {
      task.saw(reinterpret_cast<uintptr_t>(sum_of_children(reinterpret_cast<void*>(task.random.below(4)))));
      break;
    }
    case 1: {
      pthread_attr_t attributes;
      pthread_t thread;
      CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, 64 * 1024) == 0);
      CHECK(pthread_create(&thread, &attributes, sum_of_children, reinterpret_cast<void*>(1)) == 0);
      CHECK(pthread_attr_destroy(&attributes) == 0);
      void* result = nullptr;
      for (int error; (error = pthread_tryjoin_np(thread, &result)) != 0; sched_yield()) CHECK(error == EBUSY);
      task.saw(reinterpret_cast<uintptr_t>(result));
      break;
    }
    default: {
      std::atomic<bool> leave{false};
      Thread waiting([&] {
        while (!leave) pause_for(200);
      });
      const timespec until = soon(task.random);
      task.saw(static_cast<uint64_t>(pthread_timedjoin_np(waiting.handle(), nullptr, &until)));
      leave = true;
    }
  }
}

void detach(Task& task) {
  struct Job {
    sem_t done;
    uint64_t number;
  } job{{}, task.random.next()};
  CHECK(sem_init(&job.done, 0, 0) == 0);
  const pthread_t thread = start_thread(
      [](void* argument) -> void* {
        auto* job = static_cast<Job*>(argument);
        job->number = mix(job->number);
        CHECK(sem_post(&job->done) == 0);
        return nullptr;
      },
      &job);
  CHECK(pthread_detach(thread) == 0);
  CHECK(again([&] { return sem_wait(&job.done); }) == 0);
  task.saw(job.number);
}

void keys(Task& task) {
  const auto base = static_cast<uintptr_t>(task.random.from(1, 1'000'000));
  for (uintptr_t i = 0; i < key_count; ++i) to_destroy += base + i;
  Thread owner([&] {
    for (uintptr_t i = 0; i < key_count; ++i) {
      CHECK(pthread_getspecific(key[i]) == nullptr);
      CHECK(pthread_setspecific(key[i], reinterpret_cast<void*>(base + i)) == 0);
    }
    dawdle(task.random);
    for (uintptr_t i = 0; i < key_count; ++i) CHECK(pthread_getspecific(key[i]) == reinterpret_cast<void*>(base + i));
  });
}

void variables(Task& task) {
  const int error = task.random.below(130);
  Thread other([&] {
    CHECK(variable == 17 && text == "own");
    variable = error;
    text += std::to_string(error);
    errno = error;
    sched_yield();
    dawdle(task.random);
    CHECK(variable == error && text == "own" + std::to_string(error));
  });
  errno = error + 1;
  for (int i = 0; i < 3; ++i) sched_yield();
  CHECK(errno == error + 1);
}

void exceptions(Task& task) {
  int left = 0;
  try {
    try {
      fail_deep_down(task.random, task.random.below(10), left);
    } catch (const std::runtime_error&) {
      dawdle(task.random);
      throw;
    }
  } catch (const std::exception& error) {
    task.saw(static_cast<uint64_t>(atoi(error.what())));
  }
  task.saw(static_cast<uint64_t>(left));
}

void futures(Task& task) {
  const int number = task.random.below(1000);
  std::future<int> thrown = std::async(std::launch::async, [number]() -> int { throw number; });
  std::promise<int> promise;
  std::future<int> promised = promise.get_future();
  std::jthread keeper([&] { promise.set_value(number + 1); });
  try {
    thrown.get();
  } catch (int caught) {
    task.saw(static_cast<uint64_t>(caught));
  }
  task.saw(static_cast<uint64_t>(promised.get()));
}

void memory(Task& task) {
  std::vector<std::unique_ptr<unsigned char[]>> blocks;
  std::vector<size_t> sizes;
  for (int i = 0; i < 20; ++i) {
    const auto size = static_cast<size_t>(task.random.one_in(10) ? task.random.from(100'000, 300'000) : task.random.from(1, 2000));
    blocks.push_back(std::make_unique<unsigned char[]>(size));
    sizes.push_back(size);
    memset(blocks.back().get(), i, size);
    dawdle(task.random);
    if (task.random.one_in(3)) blocks[static_cast<size_t>(task.random.below(i + 1))].reset();
  }
  Thread releasing([&] {  // memory goes back from another thread than it was asked for by
    for (size_t i = 0; i < blocks.size(); ++i) {
      if (blocks[i]) CHECK(blocks[i][0] == i && blocks[i][sizes[i] - 1] == i);
      blocks[i].reset();
    }
  });
}

void library(Task& task) {
  CHECK(pthread_rwlock_rdlock(&loading) == 0);
  void* library = dlopen(library_path, RTLD_NOW);
  if (!library) puts(dlerror());
  CHECK(library != nullptr);
  auto* doubled = reinterpret_cast<int (*)(int)>(dlsym(library, "stress_doubled"));
  CHECK(doubled != nullptr);
  task.saw(static_cast<uint64_t>(doubled(task.random.below(1000))));
  CHECK(dlsym(library, "no_such_name") == nullptr && dlerror() != nullptr);
  dawdle(task.random);
  CHECK(dlclose(library) == 0);
  CHECK(pthread_rwlock_unlock(&loading) == 0);
}

}  // namespace stress::threads
