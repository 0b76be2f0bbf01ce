// Creation of threads, as their attributes say. pthread_create(3).
#include <sched.h>
#include <unistd.h>

#include "base/config.hpp"
#include "hub/signals.hpp"
#include "hub/thread_body.hpp"
#include "interpose.hpp"
#include "lifecycle.hpp"
#include "native_threads.hpp"

namespace guv {

namespace {

// pthread_create's rules for what pthread_attr_t says; an errno, or 0.
int to_options(const pthread_attr_t* attributes, SpawnOptions& options) {
  if (!attributes) {
    options.stack_size = default_stack_size();
    return 0;
  }
  int detach_state = PTHREAD_CREATE_JOINABLE;
  pthread_attr_getdetachstate(attributes, &detach_state);
  options.detached = detach_state == PTHREAD_CREATE_DETACHED;
  void* low = nullptr;
  size_t size = 0;
  // Without a stack of its own the address reported is 0 - size (pthread_attr_getstack(3), glibc).
  if (pthread_attr_getstack(attributes, &low, &size) == 0 && low &&
      reinterpret_cast<uintptr_t>(low) + size != 0) {
    options.user_stack = static_cast<char*>(low);
    options.stack_size = size;
    options.guard_size = 0;
    return 0;
  }
  pthread_attr_getstacksize(attributes, &options.stack_size);
  pthread_attr_getguardsize(attributes, &options.guard_size);
  size_t library_default = 0;
  pthread_attr_t fresh;
  if (config().stack_size && pthread_attr_init(&fresh) == 0) {
    // GUV_STACK_SIZE is a default: it gives way to what the program asks for.
    pthread_attr_getstacksize(&fresh, &library_default);
    pthread_attr_destroy(&fresh);
    if (options.stack_size == library_default) options.stack_size = config().stack_size;
  }
  return 0;
}

// Whether the program has called pthread_setattr_default_np(3).
std::atomic<bool> default_chosen{false};

/// What the program wants for threads that are created without attributes, if it has said so.
class ChosenDefault {
 public:
  ChosenDefault() : chosen_(default_chosen.load() && pthread_getattr_default_np(&attributes_) == 0) {}
  ~ChosenDefault() {
    if (chosen_) pthread_attr_destroy(&attributes_);
  }
  ChosenDefault(const ChosenDefault&) = delete;
  ChosenDefault& operator=(const ChosenDefault&) = delete;
  const pthread_attr_t* attributes() const { return chosen_ ? &attributes_ : nullptr; }

 private:
  pthread_attr_t attributes_;
  bool chosen_;
};

/// PTHREAD_EXPLICIT_SCHED. The hub's policy is one for all its threads, so what differs can only be noted; but whether the
/// process may have it at all, and whether there is such a thing, is for the kernel to say: a helper thread tries it on.
struct Scheduling {
  int policy = -1;
  sched_param parameters{};

  int ask(const pthread_attr_t* attributes) {
    int inherit = PTHREAD_INHERIT_SCHED;
    if (!attributes || pthread_attr_getinheritsched(attributes, &inherit) != 0 || inherit == PTHREAD_INHERIT_SCHED) return 0;
    pthread_attr_getschedpolicy(attributes, &policy);
    pthread_attr_getschedparam(attributes, &parameters);
    sched_param hubs{};
    sys::call(SYS_sched_getparam, 0, &hubs);
    if (sys::call(SYS_sched_getscheduler, 0) == policy && hubs.sched_priority == parameters.sched_priority) return 0;
    return static_cast<int>(-offload([this, &hubs] {
      const long before = sys::call(SYS_sched_getscheduler, 0);
      const long result = sys::call(SYS_sched_setscheduler, 0, policy, &parameters);
      if (result == 0) sys::call(SYS_sched_setscheduler, 0, before, &hubs);
      return result;
    }));
  }
};

/// pthread_attr_setaffinity_np. The hub's processors are those of all its threads; but whether the process may have what is
/// asked for is for the kernel to say: a helper thread tries it.
int ask_affinity(const pthread_attr_t* attributes) {
  cpu_set_t wanted;
  if (!attributes || pthread_attr_getaffinity_np(attributes, sizeof wanted, &wanted) != 0) return 0;
  if (CPU_COUNT(&wanted) == CPU_SETSIZE) return 0;  // not asked for
  return static_cast<int>(-offload([&wanted] {
    cpu_set_t before;
    const long size = sys::call(SYS_sched_getaffinity, 0, sizeof before, &before);
    const long result = sys::call(SYS_sched_setaffinity, 0, sizeof wanted, &wanted);
    if (result == 0) sys::call(SYS_sched_setaffinity, 0, size, &before);
    return result;
  }));
}

int real_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument) {
  signals::MaskAsThread mask;
  return real().pthread_create(thread, attributes, start, argument);
}

int create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument,
           const void* caller) {
  const int saved_errno = errno;
  if (stays_native(caller) || (!self() && runtime_started()) || !start_runtime() || !self()) {
    return real_create(thread, attributes, start, argument);
  }
  const ChosenDefault chosen;
  if (!attributes) attributes = chosen.attributes();
  SpawnOptions options;
  if (const int error = to_options(attributes, options)) return error;
  Scheduling scheduling;
  if (const int error = scheduling.ask(attributes)) return error;
  if (const int error = ask_affinity(attributes)) return error;
  GreenThread* fresh = self()->hub->spawn(options, start, argument);
  if (!fresh) {
    // Natively those that are about to end do so meanwhile, and leave their stacks.
    self()->hub->yield();
    fresh = self()->hub->spawn(options, start, argument);
  }
  errno = saved_errno;
  if (!fresh) return EAGAIN;
  fresh->policy = scheduling.policy;
  fresh->priority = scheduling.parameters.sched_priority;
  sigset_t mask;
  if (attributes && pthread_attr_getsigmask_np(attributes, &mask) == 0) signals::begin_with_mask(*fresh, mask);
  *thread = fresh->pthread();
  return 0;
}

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(int, pthread_create,
              (pthread_t * thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument)) {
  const bool closed_now = begin() && !is_open(Family::thread);
  if (closed_now) return real_create(thread, attributes, start, argument);
  return create(thread, attributes, start, argument, __builtin_return_address(0));
}

GUV_INTERPOSE(int, pthread_setattr_default_np, (const pthread_attr_t* attributes)) {
  static const auto real_set = GUV_NEXT(pthread_setattr_default_np);
  const int error = real_set(attributes);
  if (!error) default_chosen.store(true);
  ask_default_stack_size();
  return error;
}
