#include "runtime.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <new>

#include "arch/context.hpp"
#include "base/log.hpp"
#include "base/mapping.hpp"
#include "base/real.hpp"
#include "base/sys.hpp"
#include "base/tcb.hpp"
#include "hub/signals.hpp"

namespace guv {

std::atomic<Runtime*> the_runtime{nullptr};
void (*on_runtime_start)() = nullptr;

namespace {

// ThreadSanitizer keeps its own account of kernel threads and their stacks, and ends the program where that is wrong.
bool watched_by_thread_sanitizer() { return dlsym(RTLD_DEFAULT, "__tsan_init"); }

}  // namespace

bool start_runtime() {
  static bool refused = false;
  if (runtime_started()) return true;
  // Only the main thread can become the hub: its TCB is the one that all others are linked beside.
  if (refused || sys::call(SYS_gettid) != sys::call(SYS_getpid)) return false;
  void* memory = map_memory(sizeof(Runtime));
  const char* why_not = "no memory";
  if (watched_by_thread_sanitizer()) {
    why_not = "ThreadSanitizer watches the threads of this program";
  } else if (memory) {
    choose_thread_pointer_switch();
    if (tcb::discover(&why_not)) {
      auto* fresh = new (memory) Runtime;
      the_runtime.store(fresh, std::memory_order_release);
      why_not = fresh->start();
      if (!why_not) {
        if (on_runtime_start) on_runtime_start();
        return true;
      }
      the_runtime.store(nullptr, std::memory_order_release);
    }
  }
  refused = true;
  say("cannot make green threads here: %s; the program goes on with kernel threads", why_not);
  return false;
}

const char* Runtime::start() {
  const char* why_not = nullptr;
  if (!hub_.adopt_caller(first_thread_, &why_not)) return why_not;
  signals::start(first_thread_);
  return nullptr;
}

void Runtime::after_fork() {
  lot_.after_fork();
  offload_.after_fork();
  children_.after_fork();
  GreenThread* survivor = per_thread.owner;
  if (!survivor) return;  // a kernel thread forked: the child has no hub, and stays native
  tcb::after_fork(survivor->handle);
  main_thread_ = survivor;
  hub_.after_fork(survivor);
  signals::after_fork(*survivor);
  preemption_.after_fork();
}

}  // namespace guv
