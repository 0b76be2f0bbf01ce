// syscall(2): Rust's std, C++20's atomic::wait, __cxa_guard and MariaDB make their futex calls through it; other programs
// call what their libc had no name for. Numbers whose call has a wrapper go there; the rest goes to the kernel.
#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <array>

#include "base/mapping.hpp"
#include "descriptor.hpp"
#include "interpose.hpp"
#include "lifecycle.hpp"
#include "thread_id.hpp"
#include "wait/disk.hpp"

// Newer than some headers.
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef SYS_futex_wake
#define SYS_futex_wake 454
#define SYS_futex_wait 455
#endif
#ifndef FUTEX2_SIZE_U32
#define FUTEX2_SIZE_U32 2
#endif

namespace guv {

namespace {

/// libstdc++ does not say private where it could (std::future, static initialisers): ask what the memory is.
bool is_private(int operation, const void* word) {
  return (operation & FUTEX_PRIVATE_FLAG) || !in_shared_mapping(word);
}

Deadline futex_deadline(int operation, const timespec* timeout) {
  if (!timeout) return Deadline::never();
  // FUTEX_WAIT takes a duration, the bitset form a point in time.
  if ((operation & FUTEX_CMD_MASK) == FUTEX_WAIT) return Deadline::in(*timeout);
  return Deadline::on(operation & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC, *timeout);
}

/// The kernel goes on after SA_RESTART only where there is no time-out.
OnHandler futex_rule(bool timed) { return timed ? OnHandler::end : OnHandler::restart_if_asked; }

/// Waits until it is taken from the queue; enqueued if, and only if, the word still had its value.
class FutexWait : public AddressWait {
 public:
  FutexWait(AddressWaiter& waiter, Deadline until) : AddressWait(waiter.address, -EBUSY, until) {
    on_handler = futex_rule(!until.is_never());
  }
  Arm arm(GreenThread*) const { return Arm::look_again; }
  void disarm() const {}
};

/// Whether `me` has come back to `word` again and again. A lock that is made of it may have been taken by another each time, or
/// it is no lock: nobody can tell. So only once in a while.
bool may_be_overtaken(GreenThread& me, const void* word) {
  constexpr uint32_t a_while = 16;
  me.waits_there = me.woken_at == word ? me.waits_there + 1 : 0;
  me.woken_at = word;
  return me.waits_there % a_while == a_while - 1;
}

long futex_wait(uint32_t* word, int operation, uint32_t value, const timespec* timeout, uint32_t tags) {
  if (timeout && (!valid(*timeout) || timeout->tv_sec < 0)) return -EINVAL;
  if (tags == 0) return -EINVAL;
  AddressWaiter waiter;
  waiter.address = word;
  waiter.thread = self();
  waiter.tag = tags;
  waiter.overtaken = may_be_overtaken(*self(), word);
  struct Queued {
    AddressWaiter& waiter;
    ~Queued() { runtime().lot().dequeue(waiter); }
  } queued{waiter};
  if (!runtime().lot().enqueue_if(waiter, [=] { return __atomic_load_n(word, __ATOMIC_SEQ_CST) == value; })) return -EAGAIN;
  const long result =
      blocking(FutexWait(waiter, futex_deadline(operation, timeout)),
               [&](Mode) -> long { return waiter.queued.load(std::memory_order_acquire) ? -EBUSY : 0; });
  if (!runtime().lot().dequeue(waiter)) return 0;
  return result > 0 ? -result : result;
}

/// A word that another process may wake.
long futex_wait_elsewhere(const long (&a)[6]) {
  const auto* timeout = reinterpret_cast<const timespec*>(a[3]);
  const bool relative = (a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT;
  PoolWait elsewhere(EAGAIN, futex_rule(timeout != nullptr));
  elsewhere.cancellation_point = false;
  Patience patience(relative ? timeout : nullptr);
  return blocking(elsewhere, [&](Mode mode) -> long {
    if (mode == Mode::attempt) return -EAGAIN;
    return sys::call(SYS_futex, a[0], a[1], a[2], relative ? patience.left() : timeout, a[4], a[5]);
  });
}

/// Wakes green waiters first, then those that sleep in the kernel.
long futex_wake(uint32_t* word, int operation, int limit, uint32_t tags) {
  if (limit <= 0) limit = 1;  // the kernel wakes one
  bool overtaken = false;
  const size_t woken = runtime().lot().unpark(word, static_cast<size_t>(limit), tags, &overtaken);
  if (overtaken) ParkingLot::give_way();
  if (woken >= static_cast<size_t>(limit)) return static_cast<long>(woken);
  const long more = sys::call(SYS_futex, word, (operation & ~FUTEX_CMD_MASK) | FUTEX_WAKE_BITSET,
                              limit - static_cast<int>(woken), nullptr, nullptr, tags);
  return sys::failed(more) ? (woken ? static_cast<long>(woken) : more) : more + static_cast<long>(woken);
}

long futex_requeue(uint32_t* from, int operation, int wake, long move, uint32_t* to, uint32_t value) {
  const bool compare = (operation & FUTEX_CMD_MASK) == FUTEX_CMP_REQUEUE;
  if (compare && __atomic_load_n(from, __ATOMIC_SEQ_CST) != value) return -EAGAIN;
  const auto done = static_cast<long>(runtime().lot().requeue(from, to, static_cast<size_t>(wake), static_cast<size_t>(move)));
  if (done >= wake + move) return done;
  const long more = sys::call(SYS_futex, from, operation, wake, move, to, value);
  return sys::failed(more) ? done : done + more;
}

long futex_wake_op(uint32_t* word, int operation, int limit, long limit2, uint32_t* word2, uint32_t encoded) {
  // The kernel does the arithmetic and wakes its own waiters; ours are woken by the same rule.
  const uint32_t before = __atomic_load_n(word2, __ATOMIC_SEQ_CST);
  const long kernel = sys::call(SYS_futex, word, operation, limit, limit2, word2, encoded);
  if (sys::failed(kernel)) return kernel;
  long woken = static_cast<long>(runtime().lot().unpark(word, static_cast<size_t>(limit)));
  const int32_t argument = static_cast<int32_t>(encoded << 20) >> 20;
  const auto old = static_cast<int32_t>(before);
  bool second = false;
  switch (encoded >> 24 & 15) {
    case FUTEX_OP_CMP_EQ: second = old == argument; break;
    case FUTEX_OP_CMP_NE: second = old != argument; break;
    case FUTEX_OP_CMP_LT: second = old < argument; break;
    case FUTEX_OP_CMP_LE: second = old <= argument; break;
    case FUTEX_OP_CMP_GT: second = old > argument; break;
    case FUTEX_OP_CMP_GE: second = old >= argument; break;
  }
  if (second) woken += static_cast<long>(runtime().lot().unpark(word2, static_cast<size_t>(limit2)));
  return kernel + woken;
}

long futex(const long (&a)[6]) {
  auto* word = reinterpret_cast<uint32_t*>(a[0]);
  const int operation = static_cast<int>(a[1]);
  const auto kernel = [&a] { return sys::call(SYS_futex, a[0], a[1], a[2], a[3], a[4], a[5]); };
  if (!runtime_started()) return native_call(kernel);
  const auto* timeout = reinterpret_cast<const timespec*>(a[3]);
  const auto tags = static_cast<uint32_t>(a[5]);
  switch (operation & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET: {
      // Kernel threads sleep in the kernel: a waker looks there too. Words that another process may wake, as well.
      if (!self()) return native_call(kernel);
      if (!is_private(operation, word)) {
        return futex_wait_elsewhere(a);
      }
      const bool bitset = (operation & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
      return futex_wait(word, operation, static_cast<uint32_t>(a[2]), timeout, bitset ? tags : ~0u);
    }
    case FUTEX_WAKE: return futex_wake(word, operation, static_cast<int>(a[2]), ~0u);
    case FUTEX_WAKE_BITSET: return futex_wake(word, operation, static_cast<int>(a[2]), tags);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
      return futex_requeue(word, operation, static_cast<int>(a[2]), a[3], reinterpret_cast<uint32_t*>(a[4]),
                           static_cast<uint32_t>(a[5]));
    case FUTEX_WAKE_OP:
      return futex_wake_op(word, operation, static_cast<int>(a[2]), a[3], reinterpret_cast<uint32_t*>(a[4]),
                           static_cast<uint32_t>(a[5]));
    default: return kernel();
  }
}

}  // namespace

}  // namespace guv

using namespace guv;

namespace {

// ---- numbers and wrappers -----------------------------------------------------------------------------------------------

using Words = const long (&)[6];
using Handler = long (*)(Words);  // as libc: -1 and errno

template <class T>
T as(long word) {
  if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<T>(word);
  } else {
    return static_cast<T>(word);
  }
}

template <class Function>
struct Arguments;
template <class Result, class... Parameters>
struct Arguments<Result (*)(Parameters...)> {
  template <auto function>
  static long call(Words a) {
    return [&]<size_t... i>(std::index_sequence<i...>) -> long {
      return function(as<Parameters>(a[i])...);
    }(std::index_sequence_for<Parameters...>());
  }
};

/// For calls whose wrapper takes what the kernel takes.
template <auto function>
constexpr Handler by = &Arguments<typename Plain<decltype(function)>::type>::template call<function>;

/// The kernel's call.
long made(long number, Words a) { return sys::call(number, a[0], a[1], a[2], a[3], a[4], a[5]); }

/// For calls that wait, and offer no way of trying.
template <long number>
long elsewhere(Words a) {
  return sys::result(on_helper([&] { return made(number, a); }, OnHandler::end, false));
}

/// For calls of a file system that libc has no name for, or in another form: about a path in a directory …
template <long number>
long at_path(Words a) {
  return sys::result(on_disk([&] { return made(number, a); }, At{static_cast<int>(a[0]), as<const char*>(a[1])}));
}
/// … a path …
template <long number>
long on_path(Words a) {
  return sys::result(on_disk([&] { return made(number, a); }, as<const char*>(a[0])));
}
/// … or a descriptor.
template <long number>
long on_descriptor(Words a) {
  return sys::result(on_disk([&] { return made(number, a); }, static_cast<int>(a[0])));
}

constexpr size_t kernel_set_size = 8;

/// A signal mask and the size that the kernel insists on.
bool bad_size(const void* mask, long size) { return mask && size != kernel_set_size; }

/// The kernel's form of ppoll and pselect says in the time-out what is left of it.
template <class Call>
long telling_what_is_left(timespec* timeout, Call call) {
  const bool told = timeout && valid(*timeout) && timeout->tv_sec >= 0;
  const Deadline until = told ? Deadline::in(*timeout) : Deadline::never();
  const long result = call(timeout);
  if (told) *timeout = until.passed() ? timespec{0, 0} : to_timespec(until.nanoseconds() - now());
  return result;
}

long raw_ppoll(Words a) {
  if (bad_size(as<void*>(a[3]), a[4])) return sys::result(-EINVAL);
  return telling_what_is_left(as<timespec*>(a[2]), [&](const timespec* timeout) -> long {
    return ppoll(as<pollfd*>(a[0]), static_cast<nfds_t>(a[1]), timeout, as<const sigset_t*>(a[3]));
  });
}

long raw_pselect(Words a) {
  struct Packed {
    const sigset_t* mask;
    long size;
  };
  const auto* packed = as<const Packed*>(a[5]);
  const sigset_t* mask = packed ? packed->mask : nullptr;
  if (packed && bad_size(mask, packed->size)) return sys::result(-EINVAL);
  return telling_what_is_left(as<timespec*>(a[4]), [&](const timespec* timeout) -> long {
    return pselect(static_cast<int>(a[0]), as<fd_set*>(a[1]), as<fd_set*>(a[2]), as<fd_set*>(a[3]), timeout, mask);
  });
}

long raw_epoll_pwait(Words a) {
  if (bad_size(as<void*>(a[4]), a[5])) return sys::result(-EINVAL);
  return by<&::epoll_pwait>(a);
}

long raw_epoll_pwait2(Words a) {
  if (bad_size(as<void*>(a[4]), a[5])) return sys::result(-EINVAL);
  return by<&::epoll_pwait2>(a);
}

// The kernel writes 8 bytes where libc's functions write a whole sigset_t.
long raw_sigprocmask(Words a) {
  if (a[3] != kernel_set_size) return sys::result(-EINVAL);
  sigset_t before;
  const long result = sigprocmask(static_cast<int>(a[0]), as<const sigset_t*>(a[1]), &before);
  if (result == 0 && a[2]) *as<uint64_t*>(a[2]) = signals::to_bits(before);
  return result;
}

long raw_sigpending(Words a) {
  if (static_cast<size_t>(a[1]) > kernel_set_size) return sys::result(-EINVAL);
  sigset_t pending;
  const long result = sigpending(&pending);
  const uint64_t bits = signals::to_bits(pending);
  if (result == 0) memcpy(as<void*>(a[0]), &bits, static_cast<size_t>(a[1]));
  return result;
}

long raw_sigtimedwait(Words a) {
  if (a[3] != kernel_set_size) return sys::result(-EINVAL);
  return sigtimedwait(as<const sigset_t*>(a[0]), as<siginfo_t*>(a[1]), as<const timespec*>(a[2]));
}

long raw_sigsuspend(Words a) {
  if (a[1] != kernel_set_size) return sys::result(-EINVAL);
  return sigsuspend(as<const sigset_t*>(a[0]));
}

/// The kernel's struct sigaction.
struct KernelAction {
  sighandler_t handler;
  unsigned long flags;
  void (*restorer)();
  uint64_t mask;
};

long raw_sigaction(Words a) {
  if (a[3] != kernel_set_size) return sys::result(-EINVAL);
  struct sigaction fresh {}, old;
  if (const auto* given = as<const KernelAction*>(a[1])) {
    fresh.sa_handler = given->handler;
    fresh.sa_flags = static_cast<int>(given->flags);
    signals::from_bits(given->mask, &fresh.sa_mask);
  }
  const long result = sigaction(static_cast<int>(a[0]), a[1] ? &fresh : nullptr, &old);
  if (result == 0 && a[2]) {
    const auto flags = static_cast<unsigned>(old.sa_flags);
    *as<KernelAction*>(a[2]) = {old.sa_handler, flags, old.sa_restorer, signals::to_bits(old.sa_mask)};
  }
  return result;
}

long raw_tgsigqueueinfo(Words a) {
  GreenThread* target = a[0] == getpid() ? thread_with_tid(static_cast<pid_t>(a[1])) : nullptr;
  if (!target) return sys::result(sys::call(SYS_rt_tgsigqueueinfo, a[0], a[1], a[2], a[3]));
  siginfo_t info = *as<const siginfo_t*>(a[3]);
  info.si_signo = static_cast<int>(a[2]);
  return sys::result(-signals::send(*target, info));
}

long show_signals(Words a, long flags) {
  if (a[2] != kernel_set_size) return sys::result(-EINVAL);
  return signalfd(static_cast<int>(a[0]), as<const sigset_t*>(a[1]), static_cast<int>(flags));
}

// libc's timer_t is the kernel's number, but its SIGEV_THREAD is not the kernel's.
long raw_timer_create(Words a) {
  auto* event = as<sigevent*>(a[1]);
  if (!event || event->sigev_notify != SIGEV_THREAD_ID) return sys::result(sys::call(SYS_timer_create, a[0], a[1], a[2]));
  timer_t timer;
  const long result = timer_create(static_cast<clockid_t>(a[0]), event, &timer);
  if (result == 0) *as<int*>(a[2]) = static_cast<int>(reinterpret_cast<intptr_t>(timer));
  return result;
}

long raw_clock_nanosleep(Words a) {
  return sys::result(-clock_nanosleep(static_cast<clockid_t>(a[0]), static_cast<int>(a[1]), as<const timespec*>(a[2]),
                                      as<timespec*>(a[3])));
}

long raw_waitid(Words a) {
  if (a[4]) return sys::result(on_helper([&] { return sys::call(SYS_waitid, a[0], a[1], a[2], a[3], a[4]); }));
  return waitid(static_cast<idtype_t>(a[0]), static_cast<id_t>(a[1]), as<siginfo_t*>(a[2]), static_cast<int>(a[3]));
}

// The kernel's newer calls for the same words. It alone knows who waits by futex_wait; who waits by futex(2) is ours.
long raw_futex_wake(Words a) {
  const auto flags = static_cast<int>(a[3]);
  if (!runtime_started() || (flags & ~FUTEX_PRIVATE_FLAG) != FUTEX2_SIZE_U32 || a[2] <= 0) {
    return sys::result(made(SYS_futex_wake, a));
  }
  return sys::result(futex_wake(as<uint32_t*>(a[0]), flags & FUTEX_PRIVATE_FLAG, static_cast<int>(a[2]), static_cast<uint32_t>(a[1])));
}

// Ends one thread, of which libc's and the program's destructors learn nothing; the last one ends the process.
long raw_exit(Words a) {
  GreenThread* me = self();
  if (!me) return sys::result(sys::call(SYS_exit, a[0]));
  if (me->hub->live() == 1) _exit(static_cast<int>(a[0]));
  if (!me->slot) end_main_thread();
  me->hub->end_thread();
}

// What the kernel clears at the end of a kernel thread is the hub's.
long raw_set_tid_address(Words a) { return self() ? gettid() : sys::result(sys::call(SYS_set_tid_address, a[0])); }

long raw_tkill(Words a) { return tgkill(getpid(), static_cast<pid_t>(a[0]), static_cast<int>(a[1])); }

/// For calls whose first argument may be what gettid() told a green thread.
template <long number>
long by_tid(Words a) {
  return sys::result(sys::call(number, kernel_id(static_cast<pid_t>(a[0])), a[1], a[2], a[3]));
}

// ---- new processes ------------------------------------------------------------------------------------------------------

// vfork's number is fork's, too: a function that returns cannot let the child have the parent's stack.
long raw_fork(Words) { return _Fork(); }

// A child with memory of its own begins where its parent is. Anything else (a kernel thread on a stack of its own) is for
// who knows what comes after it.
long raw_clone(Words a) {
  const auto call = [&] { return sys::call(SYS_clone, a[0], a[1], a[2], a[3], a[4]); };
  return sys::result((a[0] & CLONE_VM) || a[1] ? call() : fork_by(call));
}

long raw_clone3(Words a) {
  const auto call = [&] { return sys::call(SYS_clone3, a[0], a[1]); };
  const auto* arguments = as<const clone_args*>(a[0]);
  const bool ours = arguments && a[1] >= static_cast<long>(CLONE_ARGS_SIZE_VER0) && !(arguments->flags & CLONE_VM) && !arguments->stack;
  return sys::result(ours ? fork_by(call) : call());
}

// ---- what each kernel thread has to itself --------------------------------------------------------------------------

/// For calls that change it: helpers are to have it, too.
template <long number>
long changing(Words a) {
  const long result = made(number, a);
  if (!sys::failed(result)) kernel_thread_changed();
  return sys::result(result);
}

template <long number>
long changing_by_tid(Words a) {
  const long result = by_tid<number>(a);
  if (result != -1) kernel_thread_changed();
  return result;
}

// The kernel's result is no nice value: it is never negative.
long raw_getpriority(Words a) {
  const long who = a[0] == PRIO_PROCESS ? kernel_id(static_cast<pid_t>(a[1])) : a[1];
  return sys::result(sys::call(SYS_getpriority, a[0], who));
}

// ---- the table ----------------------------------------------------------------------------------------------------------

struct Row {
  long number;
  Handler handler;
};

#define GUV_NUMBER(name) {SYS_##name, by<&::name>}
constexpr Row rows[] = {
    // io(7)
    GUV_NUMBER(read), GUV_NUMBER(write), GUV_NUMBER(readv), GUV_NUMBER(writev), {SYS_pread64, by<&::pread>},
    {SYS_pwrite64, by<&::pwrite>}, GUV_NUMBER(preadv), GUV_NUMBER(pwritev),
    {SYS_preadv2, [](Words a) -> long { return preadv2(static_cast<int>(a[0]), as<const iovec*>(a[1]), static_cast<int>(a[2]), a[3], static_cast<int>(a[5])); }},
    {SYS_pwritev2, [](Words a) -> long { return pwritev2(static_cast<int>(a[0]), as<const iovec*>(a[1]), static_cast<int>(a[2]), a[3], static_cast<int>(a[5])); }},
    GUV_NUMBER(sendfile), GUV_NUMBER(splice), GUV_NUMBER(tee), GUV_NUMBER(vmsplice), GUV_NUMBER(copy_file_range),
    GUV_NUMBER(close), GUV_NUMBER(dup), GUV_NUMBER(dup2), GUV_NUMBER(dup3),
    GUV_NUMBER(close_range), {SYS_io_getevents, &elsewhere<SYS_io_getevents>},
    {SYS_io_pgetevents, &elsewhere<SYS_io_pgetevents>},
    // sockets
    GUV_NUMBER(socket), GUV_NUMBER(socketpair), GUV_NUMBER(accept), GUV_NUMBER(accept4),
    GUV_NUMBER(connect), GUV_NUMBER(recvfrom), GUV_NUMBER(recvmsg), GUV_NUMBER(recvmmsg), GUV_NUMBER(sendto),
    GUV_NUMBER(sendmsg), GUV_NUMBER(sendmmsg), GUV_NUMBER(setsockopt),
    // select
    GUV_NUMBER(poll), {SYS_ppoll, &raw_ppoll}, GUV_NUMBER(select), {SYS_pselect6, &raw_pselect}, GUV_NUMBER(epoll_wait),
    {SYS_epoll_pwait, &raw_epoll_pwait}, {SYS_epoll_pwait2, &raw_epoll_pwait2},
    // time and threads
    GUV_NUMBER(nanosleep), {SYS_clock_nanosleep, &raw_clock_nanosleep}, GUV_NUMBER(sched_yield), GUV_NUMBER(gettid),
    {SYS_futex, [](Words a) -> long { return sys::result(futex(a)); }}, {SYS_exit, &raw_exit},
    {SYS_set_tid_address, &raw_set_tid_address}, {SYS_futex_waitv, &elsewhere<SYS_futex_waitv>},
    {SYS_futex_wake, &raw_futex_wake}, {SYS_futex_wait, &elsewhere<SYS_futex_wait>},
    // files
    {SYS_open, [](Words a) -> long { return open(as<const char*>(a[0]), static_cast<int>(a[1]), static_cast<mode_t>(a[2])); }},
    {SYS_openat, [](Words a) -> long { return openat(static_cast<int>(a[0]), as<const char*>(a[1]), static_cast<int>(a[2]), static_cast<mode_t>(a[3])); }},
    GUV_NUMBER(creat), {SYS_fcntl, [](Words a) -> long { return fcntl(static_cast<int>(a[0]), static_cast<int>(a[1]), a[2]); }},
    {SYS_ioctl, [](Words a) -> long { return ioctl(static_cast<int>(a[0]), static_cast<unsigned long>(a[1]), a[2]); }},
    GUV_NUMBER(open_by_handle_at), GUV_NUMBER(stat), GUV_NUMBER(lstat), GUV_NUMBER(fstat), {SYS_newfstatat, by<&::fstatat>},
    GUV_NUMBER(statx), GUV_NUMBER(statfs), GUV_NUMBER(fstatfs), GUV_NUMBER(access), GUV_NUMBER(chmod), GUV_NUMBER(fchmod),
    GUV_NUMBER(chown), GUV_NUMBER(lchown), GUV_NUMBER(fchown), GUV_NUMBER(fchownat), GUV_NUMBER(mkdir), GUV_NUMBER(mkdirat),
    GUV_NUMBER(rmdir), GUV_NUMBER(unlink), GUV_NUMBER(unlinkat), GUV_NUMBER(rename), GUV_NUMBER(renameat),
    GUV_NUMBER(renameat2), GUV_NUMBER(link), GUV_NUMBER(linkat), GUV_NUMBER(symlink), GUV_NUMBER(symlinkat),
    GUV_NUMBER(readlink), GUV_NUMBER(readlinkat), GUV_NUMBER(name_to_handle_at), GUV_NUMBER(getdents64), GUV_NUMBER(chdir), GUV_NUMBER(fchdir), GUV_NUMBER(chroot), GUV_NUMBER(truncate),
    GUV_NUMBER(ftruncate), GUV_NUMBER(fallocate), GUV_NUMBER(readahead), GUV_NUMBER(getxattr), GUV_NUMBER(lgetxattr),
    GUV_NUMBER(fgetxattr), GUV_NUMBER(setxattr), GUV_NUMBER(lsetxattr), GUV_NUMBER(fsetxattr), GUV_NUMBER(listxattr),
    GUV_NUMBER(llistxattr), GUV_NUMBER(flistxattr), GUV_NUMBER(removexattr), GUV_NUMBER(lremovexattr),
    GUV_NUMBER(fremovexattr), {SYS_openat2, by<&open_by_how>},
    {SYS_mknod, &on_path<SYS_mknod>}, {SYS_mknodat, &at_path<SYS_mknodat>}, {SYS_utime, &on_path<SYS_utime>},
    {SYS_utimes, &on_path<SYS_utimes>}, {SYS_futimesat, &at_path<SYS_futimesat>},
    {SYS_utimensat, &at_path<SYS_utimensat>}, {SYS_fchmodat, &at_path<SYS_fchmodat>},
    {SYS_fchmodat2, &at_path<SYS_fchmodat2>}, {SYS_faccessat, &at_path<SYS_faccessat>},
    {SYS_faccessat2, &at_path<SYS_faccessat2>}, {SYS_getdents, &on_descriptor<SYS_getdents>},
    {SYS_fadvise64, &on_descriptor<SYS_fadvise64>},
    // waiting for disks and for others
    GUV_NUMBER(flock), GUV_NUMBER(fsync), GUV_NUMBER(fdatasync), GUV_NUMBER(syncfs), GUV_NUMBER(msync),
    GUV_NUMBER(sync_file_range), {SYS_sync, &elsewhere<SYS_sync>},
    // System V and POSIX IPC
    GUV_NUMBER(msgrcv), GUV_NUMBER(msgsnd), GUV_NUMBER(semop), GUV_NUMBER(semtimedop), GUV_NUMBER(mq_timedsend),
    GUV_NUMBER(mq_timedreceive),
    // the calling kernel thread
    GUV_NUMBER(setns), GUV_NUMBER(unshare), {SYS_prctl, [](Words a) -> long { return prctl(static_cast<int>(a[0]), a[1], a[2], a[3], a[4]); }},
#define GUV_CHANGING(name) {SYS_##name, &changing<SYS_##name>}
    GUV_CHANGING(capset), GUV_CHANGING(personality), GUV_CHANGING(setfsuid), GUV_CHANGING(setfsgid), GUV_CHANGING(setuid),
    GUV_CHANGING(setgid), GUV_CHANGING(setreuid), GUV_CHANGING(setregid), GUV_CHANGING(setresuid), GUV_CHANGING(setresgid),
    GUV_CHANGING(setgroups), GUV_CHANGING(seccomp), GUV_CHANGING(landlock_restrict_self),
    GUV_CHANGING(ioprio_set), GUV_CHANGING(set_mempolicy), GUV_CHANGING(keyctl),
#undef GUV_CHANGING
    // processes and signals
    GUV_NUMBER(wait4), {SYS_waitid, &raw_waitid}, {SYS_fork, &raw_fork}, {SYS_vfork, &raw_fork}, {SYS_clone, &raw_clone},
    {SYS_clone3, &raw_clone3}, GUV_NUMBER(execve), GUV_NUMBER(execveat), {SYS_exit_group, [](Words a) -> long { _exit(static_cast<int>(a[0])); }},
    {SYS_sched_setaffinity, &changing_by_tid<SYS_sched_setaffinity>}, {SYS_sched_getaffinity, &by_tid<SYS_sched_getaffinity>},
    {SYS_sched_setscheduler, &changing_by_tid<SYS_sched_setscheduler>}, {SYS_sched_getscheduler, &by_tid<SYS_sched_getscheduler>},
    {SYS_sched_setparam, &changing_by_tid<SYS_sched_setparam>}, {SYS_sched_getparam, &by_tid<SYS_sched_getparam>},
    {SYS_sched_setattr, &changing_by_tid<SYS_sched_setattr>}, {SYS_sched_getattr, &by_tid<SYS_sched_getattr>},
    {SYS_sched_rr_get_interval, &by_tid<SYS_sched_rr_get_interval>}, {SYS_prlimit64, &by_tid<SYS_prlimit64>},
    {SYS_getpriority, &raw_getpriority}, GUV_NUMBER(setpriority),
    GUV_NUMBER(pause), GUV_NUMBER(kill), GUV_NUMBER(tgkill), {SYS_tkill, &raw_tkill}, GUV_NUMBER(sigaltstack),
    {SYS_rt_sigprocmask, &raw_sigprocmask}, {SYS_rt_sigpending, &raw_sigpending},
    {SYS_rt_sigtimedwait, &raw_sigtimedwait}, {SYS_rt_sigsuspend, &raw_sigsuspend}, {SYS_rt_sigaction, &raw_sigaction},
    {SYS_rt_tgsigqueueinfo, &raw_tgsigqueueinfo}, {SYS_timer_create, &raw_timer_create}, GUV_NUMBER(timer_delete),
    {SYS_signalfd, [](Words a) { return show_signals(a, 0); }}, {SYS_signalfd4, [](Words a) { return show_signals(a, a[3]); }},
};
#undef GUV_NUMBER

constexpr auto handlers = [] {
  std::array<Handler, 512> handlers{};
  for (const Row& row : rows) {
    Handler& handler = handlers[static_cast<size_t>(row.number)];
    if (handler) __builtin_trap();  // two rows for one number: does not compile
    handler = row.handler;
  }
  return handlers;
}();

}  // namespace

GUV_INTERPOSE(long, syscall, (long number, ...)) {
  long a[6];
  va_list list;
  va_start(list, number);
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  const auto index = static_cast<size_t>(number);
  if (index < handlers.size() && handlers[index]) return handlers[index](a);
  return sys::result(made(number, a));
}
