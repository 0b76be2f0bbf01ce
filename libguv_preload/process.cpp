// Processes. fork(2), vfork(2), posix_spawn(3), system(3), execve(2), wait(2), wait4(2), setuid(2), sched_setaffinity(2).
//
// fork itself needs no wrapper: what is to be done in the child hangs on pthread_atfork (lifecycle.cpp), and so daemon,
// forkpty and libc's own forks are right too.
#include <errno.h>
#include <grp.h>
#include <paths.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

#include <memory>

#include "arch/context.hpp"
#include "base/tcb.hpp"
#include "hub/signals.hpp"
#include "interpose.hpp"
#include "lifecycle.hpp"
#include "thread_id.hpp"
#include "wait/child.hpp"
#include "wait/pool.hpp"

extern "C" pid_t _Fork() noexcept __attribute__((weak));
extern "C" int guv_wrap_sigaction(int, const struct sigaction*, struct sigaction*);
extern "C" int guv_wrap_pthread_sigmask(int, const sigset_t*, sigset_t*);

namespace guv {

namespace {

// ---- wait -------------------------------------------------------------------------------------------------------------

// The kernel's rule for the first argument of waitpid.
ChildWait child_wait(pid_t pid, int options) {
  const int for_waitid = WEXITED | (options & (WUNTRACED | WCONTINUED | __WALL | __WCLONE));
  if (pid > 0) return {P_PID, static_cast<id_t>(pid), for_waitid};
  if (pid == -1) return {P_ALL, 0, for_waitid};
  return {P_PGID, static_cast<id_t>(pid == 0 ? getpgrp() : -pid), for_waitid};
}

/// To the kernel all green threads are one, and a helper may have started the child.
int without_asking_which_thread(int options) { return self() ? options & ~__WNOTHREAD : options; }

long wait_by_pid(pid_t pid, int* status, int options, rusage* usage) {
  options = without_asking_which_thread(options);
  return blocking(child_wait(pid, options), [=](Mode mode) -> long {
    if (mode == Mode::native) return sys::call(SYS_wait4, pid, status, options, usage);
    const long result = sys::call(SYS_wait4, pid, status, options | WNOHANG, usage);
    return result == 0 && !(options & WNOHANG) ? -EAGAIN : result;
  });
}

long wait_by_id(idtype_t type, id_t id, siginfo_t* info, int options) {
  options = without_asking_which_thread(options);
  const auto attempt = [=](Mode mode) -> long {
    if (mode == Mode::native) return sys::call(SYS_waitid, type, id, info, options, nullptr);
    siginfo_t found{};
    const long result = sys::call(SYS_waitid, type, id, &found, options | WNOHANG, nullptr);
    if (result == 0 && found.si_pid == 0 && !(options & WNOHANG)) return -EAGAIN;
    if (result == 0 && info) *info = found;
    return result;
  };
  // The program's own descriptor may be O_NONBLOCK.
  if (type == P_PIDFD) return blocking(readable(static_cast<int>(id)), attempt);
  if (type == P_PGID && id == 0) id = static_cast<id_t>(getpgrp());
  return blocking(ChildWait(type, id, options & ~(WNOHANG | WNOWAIT)), attempt);
}

// ---- starting programs ------------------------------------------------------------------------------------------------

/// As libc's system(): interrupts are ignored as long as anybody is in it, and SIGCHLD is blocked in the caller.
class WhileInSystem {
 public:
  WhileInSystem() {
    if (users_++ == 0) {
      struct sigaction ignore {};
      ignore.sa_handler = SIG_IGN;
      guv_wrap_sigaction(SIGINT, &ignore, &interrupt_);
      guv_wrap_sigaction(SIGQUIT, &ignore, &quit_);
    }
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    guv_wrap_pthread_sigmask(SIG_BLOCK, &child, &mask_);
  }
  ~WhileInSystem() {
    // Cancelled in the middle of the wait: the shell goes too.
    if (child_ > 0) {
      sys::call(SYS_kill, child_, SIGKILL);
      while (sys::call(SYS_wait4, child_, nullptr, 0, nullptr) == -EINTR) {
      }
    }
    if (--users_ == 0) {
      guv_wrap_sigaction(SIGINT, &interrupt_, nullptr);
      guv_wrap_sigaction(SIGQUIT, &quit_, nullptr);
    }
    guv_wrap_pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  }
  WhileInSystem(const WhileInSystem&) = delete;
  WhileInSystem& operator=(const WhileInSystem&) = delete;

  int run(const char* command) {
    if (const int error = spawn(command)) {
      errno = error;
      return W_EXITCODE(127, 0);
    }
    int status = -1;
    long result;
    do {
      result = wait_by_pid(child_, &status, 0, nullptr);
    } while (result == -EINTR);
    child_ = 0;
    if (!sys::failed(result)) return status;
    errno = static_cast<int>(-result);
    return -1;
  }

 private:
  int spawn(const char* command) {
    sigset_t defaults;
    sigemptyset(&defaults);
    if (interrupt_.sa_handler != SIG_IGN) sigaddset(&defaults, SIGINT);
    if (quit_.sa_handler != SIG_IGN) sigaddset(&defaults, SIGQUIT);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &mask_);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    char* const arguments[] = {const_cast<char*>("sh"), const_cast<char*>("-c"), const_cast<char*>(command), nullptr};
    const int error = posix_spawn(&child_, _PATH_BSHELL, nullptr, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    return error;
  }

  static inline int users_ = 0;
  static inline struct sigaction interrupt_, quit_;
  sigset_t mask_;
  pid_t child_ = 0;
};

// ---- setuid and its family --------------------------------------------------------------------------------------------

// Apart, so that the address of errno is found anew: it is that of whoever's TCB is in place.
template <class Call>
__attribute__((noinline)) int call_keeping_errno(const Call& call, int* error) {
  const int before = errno;
  const int result = call();
  *error = errno;
  errno = before;
  return result;
}

/// libc has every thread that it knows change its identity, by a signal to its tid, and waits for all but the caller. A
/// green thread's tid is nobody's, and it is passed over. Only the caller may have the tid of the kernel thread it is on,
/// so that must be the thread that the process began with, and the loop, which has it too, must not be in the way.
template <class Call>
int as_kernel_thread(const Call& call) {
  if (!self()) return call();
  int error = 0, result;
  {
    Critical critical;
    const uintptr_t own = thread_pointer(), loop = runtime().hub().loop_handle();
    const int tid = tcb::tid_of(loop);
    tcb::set_tid(loop, tcb::new_tid());
    set_thread_pointer(tcb::main_tcb());
    result = call_keeping_errno(call, &error);
    set_thread_pointer(own);
    tcb::set_tid(loop, tid);
  }
  if (result != 0) errno = error;
  return result;
}

/// prctl(2): these change the calling kernel thread alone.
bool changes_kernel_thread(int option) {
  switch (option) {
    case PR_CAPBSET_DROP:
    case PR_CAP_AMBIENT:
    case PR_MCE_KILL:
    case PR_SET_IO_FLUSHER:
    case PR_SET_KEEPCAPS:
    case PR_SET_NO_NEW_PRIVS:
    case PR_SET_SECCOMP:
    case PR_SET_SECUREBITS:
    case PR_SET_SPECULATION_CTRL:
    case PR_SET_TIMERSLACK:
    case PR_SET_TSC: return true;
    default: return false;
  }
}

}  // namespace

}  // namespace guv

using namespace guv;

// ---- fork -------------------------------------------------------------------------------------------------------------

GUV_INTERPOSE(pid_t, _Fork, ()) {
  static const auto next = GUV_NEXT(_Fork);
  return static_cast<pid_t>(fork_by(next));
}

// The child runs on our stack and our TCB until it calls exec: it must look like a kernel thread to all wrappers, and the
// hub must be back in place before the parent goes on. The return address is kept in a register, which each of the two
// has to itself; on the stack the child overwrites it.
#if defined(__x86_64__)
__asm__(R"(
        .text
        .globl  guv_wrap_vfork
        .hidden guv_wrap_vfork
        .type   guv_wrap_vfork, @function
guv_wrap_vfork:
        .cfi_startproc
        sub     $8, %rsp
        .cfi_adjust_cfa_offset 8
        call    guv_vfork_begins
        add     $8, %rsp
        .cfi_adjust_cfa_offset -8
        mov     %rax, %rsi
        pop     %rdi
        .cfi_adjust_cfa_offset -8
        .cfi_register %rip, %rdi
        mov     $58, %eax               /* SYS_vfork */
        syscall
        push    %rdi
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rip, 0
        test    %rax, %rax
        jz      1f
        mov     %rax, %rdi
        jmp     guv_vfork_ends
1:      ret
        .cfi_endproc
        .size   guv_wrap_vfork, . - guv_wrap_vfork
)");
// A function that calls it cannot return twice.
extern "C" __attribute__((visibility("hidden"))) const Code guv_original_vfork;
const Code guv_original_vfork = nullptr;

extern "C" __attribute__((used, visibility("hidden"))) GreenThread* guv_vfork_begins() {
  GreenThread* me = self();
  if (me) signals::NativeScope::begin(*me);
  return me;
}

extern "C" __attribute__((used, visibility("hidden"))) pid_t guv_vfork_ends(long result, GreenThread* me) {
  if (me) signals::NativeScope::end(*me);
  return static_cast<pid_t>(sys::result(result));
}
#else
GUV_INTERPOSE(pid_t, vfork, ()) { return fork(); }
#endif

// ---- programs ---------------------------------------------------------------------------------------------------------

/// Has libc start a program, which waits for the child's exec: for a FIFO that is opened as a file action, for a slow
/// disk. The child runs in our memory, on the thread's own TCB: it must look like a kernel thread to all wrappers, as on
/// a helper it does. The program inherits the mask of the kernel thread that starts it.
template <class Call>
auto start_program(Call call) {
  const GreenThread* const me = self();
  if (!me) return call();
  if (me->hub->live() == 1) {
    const signals::NativeScope alone;
    return call();
  }
  return runtime().offload().run([&] {
    const signals::WithMask mask(me->signals.mask);
    return call();
  });
}

#define GUV_SPAWN(interpose, name, Started)                                                                    \
  interpose(int, name,                                                                                         \
            (Started * started, const char* program, const posix_spawn_file_actions_t* actions,                \
             const posix_spawnattr_t* attributes, char* const arguments[], char* const environment[])) {       \
    static const auto next = next_symbol<decltype(&guv_wrap_##name)>(#name);                                   \
    if (!next) return ENOSYS;                                                                                  \
    return start_program([=] { return next(started, program, actions, attributes, arguments, environment); }); \
  }

GUV_SPAWN(GUV_INTERPOSE, posix_spawn, pid_t)
GUV_SPAWN(GUV_INTERPOSE, posix_spawnp, pid_t)
// In libc since 2.39.
GUV_SPAWN(GUV_INTERPOSE_UNDECLARED, pidfd_spawn, int)
GUV_SPAWN(GUV_INTERPOSE_UNDECLARED, pidfd_spawnp, int)

GUV_INTERPOSE(FILE*, popen, (const char* command, const char* mode)) {
  static const auto next = GUV_NEXT(popen);
  return start_program([=] { return next(command, mode); });
}

GUV_INTERPOSE(int, wordexp, (const char* words, wordexp_t* result, int flags)) {
  static const auto next = GUV_NEXT(wordexp);
  return start_program([=] { return next(words, result, flags); });
}

GUV_INTERPOSE(int, system, (const char* command)) {
  static const auto next = GUV_NEXT(system);
  if (!self()) return next(command);
  if (!command) return guv_wrap_system("exit 0") == 0;
  return WhileInSystem().run(command);
}

namespace guv {

namespace {

/// What the new program would otherwise inherit from the hub: its mask, its pending signals, and a tick on its way, which kills
/// who has no handler for it. Comes back when exec fails.
class Executing {
 public:
  Executing() {
    if (self()) runtime().preemption().disarm();
  }
  ~Executing() {
    if (self()) runtime().preemption().arm();
  }
  Executing(const Executing&) = delete;
  Executing& operator=(const Executing&) = delete;

 private:
  signals::MaskAsThread mask_;
  signals::PendingAsThread pending_;
};

}  // namespace

}  // namespace guv

GUV_INTERPOSE(int, execve, (const char* path, char* const arguments[], char* const environment[])) {
  const Executing executing;
  return static_cast<int>(sys::result(sys::call(SYS_execve, path, arguments, environment)));
}

GUV_INTERPOSE(int, execveat,
              (int directory, const char* path, char* const arguments[], char* const environment[], int flags)) {
  const Executing executing;
  return static_cast<int>(sys::result(sys::call(SYS_execveat, directory, path, arguments, environment, flags)));
}

GUV_INTERPOSE(int, fexecve, (int fd, char* const arguments[], char* const environment[])) {
  static const auto next = GUV_NEXT(fexecve);
  const Executing executing;
  return next(fd, arguments, environment);
}

// ---- wait -------------------------------------------------------------------------------------------------------------

GUV_INTERPOSE(pid_t, wait4, (pid_t pid, int* status, int options, rusage* usage)) {
  return static_cast<pid_t>(sys::result(wait_by_pid(pid, status, options, usage)));
}

GUV_INTERPOSE(pid_t, waitpid, (pid_t pid, int* status, int options)) {
  return guv_wrap_wait4(pid, status, options, nullptr);
}

GUV_INTERPOSE(pid_t, wait, (int* status)) { return guv_wrap_wait4(-1, status, 0, nullptr); }

GUV_INTERPOSE(pid_t, wait3, (int* status, int options, rusage* usage)) {
  return guv_wrap_wait4(-1, status, options, usage);
}

GUV_INTERPOSE(int, waitid, (idtype_t type, id_t id, siginfo_t* info, int options)) {
  return static_cast<int>(sys::result(wait_by_id(type, id, info, options)));
}

// ---- identity ---------------------------------------------------------------------------------------------------------

#define GUV_SET_IDENTITY(name, parameters, ...)             \
  GUV_INTERPOSE(int, name, parameters) {                    \
    static const auto next = GUV_NEXT(name);                \
    return as_kernel_thread([=] { return next(__VA_ARGS__); }); \
  }

GUV_SET_IDENTITY(setuid, (uid_t user), user)
GUV_SET_IDENTITY(setgid, (gid_t group), group)
GUV_SET_IDENTITY(seteuid, (uid_t effective), effective)
GUV_SET_IDENTITY(setegid, (gid_t effective), effective)
GUV_SET_IDENTITY(setreuid, (uid_t user, uid_t effective), user, effective)
GUV_SET_IDENTITY(setregid, (gid_t group, gid_t effective), group, effective)
GUV_SET_IDENTITY(setresuid, (uid_t user, uid_t effective, uid_t saved), user, effective, saved)
GUV_SET_IDENTITY(setresgid, (gid_t group, gid_t effective, gid_t saved), group, effective, saved)
GUV_SET_IDENTITY(setgroups, (size_t count, const gid_t* groups), count, groups)

// It looks groups up, which may wait, and then sets them; so in two steps.
GUV_INTERPOSE(int, initgroups, (const char* user, gid_t group)) {
  static const auto next = GUV_NEXT(initgroups);
  if (!self()) return next(user, group);
  int count = 64;
  for (;;) {
    const auto groups = std::make_unique<gid_t[]>(static_cast<size_t>(count));
    if (getgrouplist(user, group, groups.get(), &count) >= 0) return setgroups(static_cast<size_t>(count), groups.get());
  }
}

// ---- scheduling, by thread id -----------------------------------------------------------------------------------------

#define GUV_BY_TID(result, name, parameters, ...)  \
  GUV_INTERPOSE(result, name, parameters) {        \
    static const auto next = GUV_NEXT(name);       \
    return next(__VA_ARGS__);                      \
  }

/// Likewise, and it changes the thread: the hub's, mostly.
#define GUV_CHANGES_TID(name, parameters, ...)   \
  GUV_INTERPOSE(int, name, parameters) {         \
    static const auto next = GUV_NEXT(name);     \
    const int result = next(__VA_ARGS__);        \
    if (result != -1) kernel_thread_changed();   \
    return result;                               \
  }

GUV_CHANGES_TID(sched_setaffinity, (pid_t id, size_t size, const cpu_set_t* set), kernel_id(id), size, set)
GUV_BY_TID(int, sched_getaffinity, (pid_t id, size_t size, cpu_set_t* set), kernel_id(id), size, set)
GUV_CHANGES_TID(sched_setscheduler, (pid_t id, int policy, const sched_param* parameters), kernel_id(id), policy,
                parameters)
GUV_BY_TID(int, sched_getscheduler, (pid_t id), kernel_id(id))
GUV_CHANGES_TID(sched_setparam, (pid_t id, const sched_param* parameters), kernel_id(id), parameters)
GUV_BY_TID(int, sched_getparam, (pid_t id, sched_param* parameters), kernel_id(id), parameters)
GUV_BY_TID(int, sched_rr_get_interval, (pid_t id, timespec* interval), kernel_id(id), interval)
GUV_BY_TID(int, getpriority, (__priority_which_t which, id_t id), which,
           which == PRIO_PROCESS ? static_cast<id_t>(kernel_id(static_cast<pid_t>(id))) : id)
GUV_CHANGES_TID(setpriority, (__priority_which_t which, id_t id, int priority), which,
                which == PRIO_PROCESS ? static_cast<id_t>(kernel_id(static_cast<pid_t>(id))) : id, priority)
GUV_BY_TID(int, prlimit, (pid_t id, __rlimit_resource resource, const rlimit* fresh, rlimit* old), kernel_id(id),
           resource, fresh, old)

// In libc since 2.41.
GUV_INTERPOSE_UNDECLARED(int, sched_setattr, (pid_t id, void* attributes, unsigned flags)) {
  const long result = sys::call(SYS_sched_setattr, kernel_id(id), attributes, flags);
  if (!sys::failed(result)) kernel_thread_changed();
  return static_cast<int>(sys::result(result));
}
GUV_INTERPOSE_UNDECLARED(int, sched_getattr, (pid_t id, void* attributes, unsigned size, unsigned flags)) {
  return static_cast<int>(sys::result(sys::call(SYS_sched_getattr, kernel_id(id), attributes, size, flags)));
}

GUV_INTERPOSE(int, prctl, (int option, ...)) {
  long a[4];
  va_list list;
  va_start(list, option);
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  GreenThread* me = self();
  if (is_spawned(me) && option == PR_SET_NAME) {
    snprintf(me->name, sizeof me->name, "%s", reinterpret_cast<const char*>(a[0]));
    return 0;
  }
  if (is_spawned(me) && option == PR_GET_NAME && *me->name) {
    memset(reinterpret_cast<char*>(a[0]), 0, sizeof me->name);
    strcpy(reinterpret_cast<char*>(a[0]), me->name);
    return 0;
  }
  const long result = sys::call(SYS_prctl, option, a[0], a[1], a[2], a[3]);
  if (!sys::failed(result) && changes_kernel_thread(option)) kernel_thread_changed();
  return static_cast<int>(sys::result(result));
}
