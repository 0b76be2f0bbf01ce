// fork, posix_spawn, system, popen; and waiting for one's own child among those of others.
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "stress.hpp"

extern char** environ;

namespace stress::processes {

namespace {

int status_of(pid_t child, bool by_waitid) {
  if (by_waitid) {
    siginfo_t info{};
    CHECK(again([&] { return waitid(P_PID, static_cast<id_t>(child), &info, WEXITED); }) == 0 && info.si_pid == child);
    return info.si_code * 256 + info.si_status;
  }
  int status;
  CHECK(again([&] { return waitpid(child, &status, 0); }) == child);
  return status;
}

}  // namespace

void fork_wait(Task& task) {
  const int code = task.random.below(256), variant = task.random.below(3);
  int ends[2];
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    const auto byte = static_cast<char>(code);
    CHECK(again([&] { return write(ends[1], &byte, 1); }) == 1);
    if (variant == 0) {
      signal(SIGTERM, SIG_DFL);
      raise(SIGTERM);
    }
    if (variant == 1) pause_for(1000);
    _exit(code);
  }
  char byte;
  CHECK(again([&] { return read(ends[0], &byte, 1); }) == 1 && byte == static_cast<char>(code));
  task.saw(static_cast<uint64_t>(status_of(child, task.random.one_in(2))));
  CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
}

void fork_with_threads(Task& task) {
  const int wanted = task.random.below(256);
  CHECK(pthread_rwlock_wrlock(&threads::loading) == 0);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    sem_t semaphore;
    std::atomic<int> sum{0};
    CHECK(sem_init(&semaphore, 0, 0) == 0);
    {
      const auto add = [&, wanted] {
        pause_for(500);
        CHECK(again([&] { return sem_wait(&semaphore); }) == 0);
        sum += wanted;
      };
      const Thread first(add), second(add), third(add);
      for (int i = 0; i < 3; ++i) CHECK(sem_post(&semaphore) == 0);
    }
    _exit(sum == 3 * wanted ? wanted : wanted + 1);
  }
  CHECK(pthread_rwlock_unlock(&threads::loading) == 0);
  task.saw(static_cast<uint64_t>(status_of(child, task.random.one_in(2))));
}

void spawn(Task& task) {
  int ends[2];
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  posix_spawn_file_actions_t actions;
  CHECK(posix_spawn_file_actions_init(&actions) == 0);
  CHECK(posix_spawn_file_actions_adddup2(&actions, ends[1], 1) == 0);
  char script[64];
  snprintf(script, sizeof script, "echo %d; exit %d", task.random.below(10000), task.random.below(200));
  char* const arguments[] = {const_cast<char*>("sh"), const_cast<char*>("-c"), script, nullptr};
  pid_t child;
  CHECK(posix_spawn(&child, "/bin/sh", &actions, nullptr, arguments, environ) == 0);
  CHECK(posix_spawn_file_actions_destroy(&actions) == 0 && close(ends[1]) == 0);
  char text[16] = "";
  size_t length = 0;
  for (ssize_t count; (count = again([&] { return read(ends[0], text + length, sizeof text - 1 - length); })) > 0;) {
    length += static_cast<size_t>(count);
  }
  task.saw(static_cast<uint64_t>(atoi(text)));
  task.saw(static_cast<uint64_t>(status_of(child, task.random.one_in(2))));
  CHECK(close(ends[0]) == 0);
}

void shell(Task& task) {
  char command[64];
  snprintf(command, sizeof command, "exit %d", task.random.below(200));
  task.saw(static_cast<uint64_t>(again([&] { return system(command); })));
  snprintf(command, sizeof command, "echo %d", task.random.below(10000));
  FILE* output = popen(command, "re");
  char line[32];
  CHECK(output != nullptr);
  while (!fgets(line, sizeof line, output)) {
    CHECK(ferror(output) && errno == EINTR);
    clearerr(output);
  }
  task.saw(static_cast<uint64_t>(atoi(line)));
  CHECK(pclose(output) == 0);
}

}  // namespace stress::processes
