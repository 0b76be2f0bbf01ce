// The beginning and the end: the constructor, the start hook, fork, the report.
#include "lifecycle.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/call_main.hpp"
#include "arrival.hpp"
#include "base/config.hpp"
#include "base/log.hpp"
#include "base/tcb.hpp"
#include "entry_patch.hpp"
#include "hub/signals.hpp"
#include "hub/thread_body.hpp"
#include "interpose.hpp"
#include "libc_mutex.hpp"
#include "patcher.hpp"

namespace guv {

namespace {

void write_report(const char* line, int length) {
  const char* path = config().report;
  if (!*path || length <= 0) return;
  if (!strcmp(path, "-")) {
    sys::call(SYS_write, 2, line, length);
    return;
  }
  const long fd = sys::call(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (sys::failed(fd)) return;
  sys::call(SYS_write, fd, line, length);  // one write: lines of several processes do not mix
  sys::call(SYS_close, fd);
}

/// The program's name as JSON: a name may hold anything, and be of any length.
struct ProgramName {
  char text[64];
  ProgramName() {
    size_t length = 0;
    for (const char* c = program_invocation_short_name; *c && length < sizeof text - 1; ++c) {
      const bool plain = *c >= ' ' && *c <= '~' && *c != '"' && *c != '\\';
      text[length++] = plain ? *c : '?';
    }
    text[length] = '\0';
  }
};

void report_start() {
  char line[512];
  const int length =
      snprintf(line, sizeof line, "{\"event\":\"start\",\"pid\":%ld,\"program\":\"%s\",\"patched_entries\":%d}\n",
               sys::call(SYS_getpid), ProgramName().text, patched_entries());
  write_report(line, length);
}

void on_start() {
  find_libc_data();
  if (config().patch_libc) patch_libc_entries();
  say_verbosely("threads of process %ld are green from now on; %d functions of libc lead here", sys::call(SYS_getpid),
                patched_entries());
  report_start();
}

// pthread_atfork calls the first registered last before the fork and first after it.
void before_fork() {
  fd_table::forking();
  if (runtime_started()) signals::before_fork();
}

void in_forking_parent() {
  if (runtime_started()) signals::after_fork_in_parent();
}

void in_forked_child() {
  fd_table::forked();
  once_after_fork();
  libc_mutexes_after_fork();
  if (!runtime_started()) return;
  runtime().after_fork();
  report_start();
}

__attribute__((constructor)) void at_load() { begin(); }

__attribute__((destructor)) void at_exit() { report_exit(); }

// main runs inside a frame where pthread_exit ends, as a thread's function does; see pthread_exit(3).
using Main = int (*)(int, char**, char**);

struct MainCall {
  Main main;
  int argc;
  char** argv;
  char** environment;
  int status;
};

Main program_main;

int main_in_frame(int argc, char** argv, char** environment) {
  MainCall call{program_main, argc, argv, environment, 0};
  const bool returned = run_until_exit(
      [](void* argument) {
        auto* call = static_cast<MainCall*>(argument);
        call->status = guv_call_main(call->argc, call->argv, call->environment, call->main);
      },
      &call);
  if (returned) return call.status;
  if (!runtime_started()) real().pthread_exit(nullptr);  // no threads, or kernel threads: on to libc's own frame
  GreenThread& me = runtime().main_thread();
  if (!me.by_pthread_exit) me.result = PTHREAD_CANCELED;
  keys::run_destructors();
  if (runtime().hub().live() == 1) return 0;
  end_main_thread();
}

}  // namespace

bool begin() {
  static bool begun = false;
  if (begun) return false;
  begun = true;
  resolve_real();
  read_config(preloaded() ? all_families : 0);
  keep_open(config().families);
  if (!config().keep_in_children) leave_children_alone();
  say_verbosely("in process %ld, %s", sys::call(SYS_getpid), program_invocation_short_name);
  on_runtime_start = &on_start;
  pthread_atfork(&before_fork, &in_forking_parent, &in_forked_child);
  return true;
}

void end_main_thread() {
  GreenThread& me = runtime().main_thread();
  Hub& hub = runtime().hub();
  hub.main_has_exited();
  me.state = State::finished;
  me.finished.store(1, std::memory_order_seq_cst);
  runtime().lot().unpark_all(&me.finished);
  me.state = State::running;
  signals::set_mask(me, ~uint64_t{0});  // others take what is sent to the process
  for (;;) hub.park(Deadline::never());
}

void report_exit() {
  static std::atomic<bool> done{false};
  // A child of vfork shares our memory, but its end is not ours.
  if (!*config().report || !runtime_started() || signals::NativeScope::active() || done.exchange(true)) return;
  const HubCounts& counts = runtime().hub().counts();
  char line[512];
  const int length = snprintf(
      line, sizeof line,
      "{\"event\":\"exit\",\"pid\":%ld,\"program\":\"%s\",\"green_threads\":%llu,\"parks\":%llu,\"switches\":%llu,"
      "\"polls\":%llu,\"kernel_threads\":%d,\"helpers_made\":%d,\"patched_entries\":%d}\n",
      sys::call(SYS_getpid), ProgramName().text, static_cast<unsigned long long>(counts.threads),
      static_cast<unsigned long long>(counts.parks), static_cast<unsigned long long>(counts.switches),
      static_cast<unsigned long long>(counts.polls), 1 + runtime().offload().helpers(), runtime().offload().made(),
      patched_entries());
  write_report(line, length);
}

namespace {

/// The kernel does it for a process that ends, but for its own threads only. (A child of vfork is none of ours.)
void release_robust_mutexes() {
  if (!self()) return;
  runtime().hub().for_each_thread([](GreenThread& thread) {
    if (thread.slot) tcb::release_robust_mutexes(thread.handle, [](void*) {});
  });
}

}  // namespace

}  // namespace guv

GUV_INTERPOSE_UNDECLARED(int, __libc_start_main,
                         (guv::Main main, int argc, char** argv, void (*init)(), void (*fini)(), void (*rtld_fini)(),
                          void* stack_end)) {
  using Start = int (*)(guv::Main, int, char**, void (*)(), void (*)(), void (*)(), void*);
  static Start real_start = guv::next_symbol<Start>("__libc_start_main");
  guv::program_main = main;
  return real_start(guv::main_in_frame, argc, argv, init, fini, rtld_fini, stack_end);
}

GUV_INTERPOSE(void, _exit, (int status)) {
  guv::report_exit();
  guv::release_robust_mutexes();
  for (;;) guv::sys::call(SYS_exit_group, status);
}
