/* guv.h - the C API of libguv: green threads, what they wait for, and the hub they run on.
 *
 * A program links with -lguv (pkg-config guv), or is run under guv-run without knowing of it and finds these by dlsym.
 * C++ programs use guv.hpp, which is made of what is declared here.
 *
 * Conventions, unless a function says otherwise:
 * - Functions that can fail return 0 (or a count) or a negative errno value; errno itself is left alone.
 * - They may be called from green threads and from kernel threads; a kernel thread that has to wait sleeps. They must
 *   not be called from signal handlers.
 * - "On the hub" means: in a callback that the hub makes (guv_call_on_hub, libuv's callbacks). Nothing may wait there:
 *   functions that would have to return -EDEADLK.
 * - A wait is a cancellation point (pthreads(7)). It also ends when the thread is killed (guv_thread_kill) or a
 *   time-out of its own strikes (guv_timeout_start): with the error that was given there.
 * - A deadline is an absolute time of CLOCK_MONOTONIC in nanoseconds; GUV_NEVER is none, and 0 has passed: the call
 *   does not wait.
 */
#ifndef GUV_GUV_H
#define GUV_GUV_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define GUV_API __attribute__((visibility("default")))
#else
#define GUV_API
#endif

/* ---- the library ------------------------------------------------------------------------------------------------
 * These five may be called from signal handlers too. None blocks, allocates or sets errno. */

/** Returns the library's version, such as "0.1.0". The string lives as long as the process. */
GUV_API const char* guv_version(void);

/** Returns 1 once the threads of this process are green, else 0: before the first pthread_create or guv_spawn, in a
 *  process where guv could not start (it has said why on standard error), or with the family `thread` switched off. */
GUV_API int guv_active(void);

/** Returns the number of the calling green thread: 1 for the thread the process began with, then in the order of
 *  creation, never reused. 0 when the caller is a kernel thread. */
GUV_API uint64_t guv_thread_number(void);

/** Returns how many green threads of this process have been made and have not ended, the main thread included; 0 while
 *  guv_active() is 0. */
GUV_API uint64_t guv_thread_count(void);

/** Returns the present time of CLOCK_MONOTONIC in nanoseconds, from which deadlines are made: guv_now() + 2000000000 is
 *  in two seconds. */
GUV_API int64_t guv_now(void);

/** The deadline that never comes. */
#define GUV_NEVER INT64_MAX

/* ---- green threads ----------------------------------------------------------------------------------------------
 * A green thread is a pthread for libc and for the program: it has a pthread_t, thread-specific data, errno, and
 * cancellation. */

/** A green thread made by guv_spawn, or the one that guv_thread_current names. Counted: each handle that a function
 *  here hands out is given back by guv_thread_release. */
typedef struct guv_thread guv_thread;

/** What a green thread shall do. Zero what is not needed. */
typedef struct guv_task {
  void* (*run)(void* argument); /**< the thread's function; its result is what guv_thread_wait gets */
  void* argument;
  void (*dispose)(void* argument); /**< called when the thread has ended, or has been cancelled and will not run */
  int64_t delay;                   /**< nanoseconds from now to the thread's start */
  size_t stack_size;               /**< bytes; 0: as pthread_create (GUV_STACK_SIZE, else RLIMIT_STACK) */
} guv_task;

/** Makes a green thread that will call `function(argument)`, and returns at once; the thread runs when the caller waits
 *  or yields, after those that are ready already. Detached in pthreads' terms: nothing is to be joined. `*thread` gets
 *  a handle, unless `thread` is NULL. On the hub too.
 *  -EAGAIN: no stack or memory left. -ENOTSUP: guv cannot start here (it has said why), or was not started by the main
 *  thread. */
GUV_API int guv_spawn(guv_thread** thread, void* (*function)(void* argument), void* argument);

/** As guv_spawn, with what guv_task tells besides. */
GUV_API int guv_spawn_task(guv_thread** thread, const guv_task* task);

/** Returns a handle of the calling green thread (also of one that pthread_create made, and of the main thread), or NULL
 *  on a kernel thread or without memory. */
GUV_API guv_thread* guv_thread_current(void);

/** Takes one more handle of the same thread, to be released on its own; returns `thread`. */
GUV_API guv_thread* guv_thread_retain(guv_thread* thread);

/** Gives a handle back. The thread itself is not touched by it. NULL is ignored. */
GUV_API void guv_thread_release(guv_thread* thread);

/** Waits until the thread has ended; `*result` (if `result` is not NULL) gets what its function returned or gave to
 *  pthread_exit(3). Any number of threads may wait, before and after the end.
 *  -ETIMEDOUT: it runs on. -ECANCELED: pthread_cancel ended it, or what guv_thread_cancel or guv_thread_kill said for
 *  one that never began. */
GUV_API int guv_thread_wait(guv_thread* thread, void** result, int64_t deadline);

/** Returns 1 from the thread's making to its end, whether it has begun to run or not; else 0. */
GUV_API int guv_thread_is_alive(const guv_thread* thread);

/** Sees to it that a thread that has not begun to run never will: waiters get `error` (a negative errno value, such
 *  as -ECANCELED). It ends, and its links are called, when the caller waits or yields. Returns 1 if so, 0 when it
 *  has begun or ended already. */
GUV_API int guv_thread_cancel(guv_thread* thread, int error);

/** Makes the wait that the thread is in, or else its next one, end with `error` (a negative errno value): one of guv's,
 *  or a call of libc's that is a cancellation point (there -1 with that errno). With `raise` that is called there
 *  instead, with `argument`, and may throw. A thread that has not begun to run is cancelled. Then the caller yields, so
 *  that the thread sees it at once; a thread that kills itself is dealt with before this returns. Returns 0, 1 if the
 *  thread had not begun and will not, -ESRCH when it has ended, -EBUSY while an earlier kill is not yet seen. */
GUV_API int guv_thread_interrupt(guv_thread* thread, int error, void (*raise)(void* argument), void* argument);

/** guv_thread_interrupt with -ECANCELED. */
GUV_API int guv_thread_kill(guv_thread* thread);

/** A function that is called on a thread when it ends; see guv_thread_link. */
typedef void (*guv_link_function)(guv_thread* thread, void* argument);

/** Has `function(thread, argument)` called when the thread ends, on that thread, when guv_thread_wait returns at once;
 *  in the order of linking. At once, on the caller, when it has ended. -ENOMEM. */
GUV_API int guv_thread_link(guv_thread* thread, guv_link_function function, void* argument);

/** Takes one such call back. Returns 1 if there was one, else 0. */
GUV_API int guv_thread_unlink(guv_thread* thread, guv_link_function function, void* argument);

/** Copies the thread's name (pthread_setname_np(3)) to `name`, with its final zero, at most 16 bytes. */
GUV_API void guv_thread_name(const guv_thread* thread, char name[16]);

/** Names the thread, as pthread_setname_np(3) does; longer names are cut. */
GUV_API void guv_thread_set_name(guv_thread* thread, const char* name);

/** Lets the other ready threads run before the caller goes on; on a kernel thread sched_yield(2). Ends by kills and
 *  time-outs as waits do. */
GUV_API int guv_yield(void);

/** Suspends the caller until the deadline; one that has passed is guv_yield. Returns 0, or the error of a kill or a
 *  time-out. */
GUV_API int guv_sleep_until(int64_t deadline);

/** Suspends the calling green thread until guv_thread_wake names it: for what switches threads by itself. May also
 *  return for no reason; a wake that came before is not lost. -EPERM on a kernel thread. */
GUV_API int guv_park(int64_t deadline);

/** Makes the thread's present or next guv_park return. From any kernel thread, and on the hub. */
GUV_API void guv_thread_wake(guv_thread* thread);

/** Whether exceptions that end a C++ thread nobody can ask for its result are printed on standard error: 1 (as it is at
 *  first) or 0. Returns what it was. Negative: asks only. */
GUV_API int guv_hub_exceptions(int print);

/* ---- waiting at an address --------------------------------------------------------------------------------------
 * All that waits in guv is made of these two. */

/** Waits until `busy(argument)` returns 0. It is asked first, and again after each guv_wake of `address`; also at other
 *  times. It must not wait itself. No wake-up is lost when the other side first changes what `busy` asks for, then
 *  calls guv_wake. As futex(2), with the comparison left to the caller, and for green and kernel threads alike. 0;
 *  -ETIMEDOUT: still busy at the deadline. */
GUV_API int guv_wait(const void* address, int (*busy)(void* argument), void* argument, int64_t deadline);

/** Wakes at most `limit` of those who wait at `address`, the first come first; returns how many. One load when there is
 *  nobody. Before it the caller changes an atomic variable with sequential consistency. On the hub too. */
GUV_API size_t guv_wake(const void* address, size_t limit);

/** A lock for a handful of instructions on data that several threads share. All zeros is unlocked. */
typedef struct guv_lock {
  uint32_t opaque;
} guv_lock;

/** Takes the lock. Until it is released the thread keeps its processor to itself: signal handlers and other green
 *  threads wait. So what is done meanwhile must be short and must not wait; malloc(3) might. On the hub too. */
GUV_API void guv_lock_acquire(guv_lock* lock);

/** Gives it back; on the same thread. */
GUV_API void guv_lock_release(guv_lock* lock);

/** A thread's turn to go on, for which it waits and which another thread gives it. On the stack of the thread that
 *  waits. */
typedef struct guv_turn {
  uint64_t opaque[2];
} guv_turn;

/** Waits until the turn is given. Called with the lock held under which others find the turn, and give it; returns
 *  without it. Before the wait ends for another reason (the deadline, a kill, a time-out, a cancellation)
 *  `leave(argument)` is called with the lock held: it puts the turn where nobody finds it. A turn that has been given
 *  goes before: then this returns 0, and the kill is for the next wait. */
GUV_API int guv_turn_wait(guv_turn* turn, guv_lock* lock, void (*leave)(void* argument), void* argument,
                          int64_t deadline);

/** Gives a turn that is waited for, with the lock held. On the hub too. */
GUV_API void guv_turn_give(guv_turn* turn);

/* ---- time-outs --------------------------------------------------------------------------------------------------- */

/** Room for a time-out; begins as all zeros. Must stay where it is while pending. */
typedef struct guv_timeout {
  uint64_t opaque[16];
} guv_timeout;

/** From the deadline on, the calling green thread's present or next wait ends with `error`, or by `raise(argument)`, as
 *  guv_thread_interrupt says; once. Several may be pending, and strike in the order of their deadlines. GUV_NEVER
 *  starts nothing.
 *  -EPERM on a kernel thread, -EBUSY when it is pending already. */
GUV_API int guv_timeout_start(guv_timeout* timeout, int64_t deadline, int error, void (*raise)(void* argument),
                              void* argument);

/** Takes it back. Returns 1 if it was pending, 0 when it has struck or was not started. To be called by the thread that
 *  started it. */
GUV_API int guv_timeout_cancel(guv_timeout* timeout);

/** Returns 1 from the start until it has struck or been cancelled. */
GUV_API int guv_timeout_pending(const guv_timeout* timeout);

/* ---- descriptors ------------------------------------------------------------------------------------------------
 * Green whatever the families are (see patcher.h), and whatever O_NONBLOCK says. */

/** What guv_trampoline waits for: the values of libuv's UV_READABLE and UV_WRITABLE. */
#define GUV_READ 1
#define GUV_WRITE 2

/** Waits until the descriptor is ready as poll(2) would say: for reading (GUV_READ), for writing (GUV_WRITE), or for
 *  either. Returns which, -ETIMEDOUT, or -EBADF also when another thread closes it by close(2) meanwhile. */
GUV_API int guv_trampoline(int fd, int events, int64_t deadline);

/** recv(2) on a socket, with a deadline (-ETIMEDOUT). */
GUV_API ssize_t guv_recv(int fd, void* buffer, size_t size, int flags, int64_t deadline);

/** send(2) on a socket: moves what there is room for, at least one byte. With a deadline. */
GUV_API ssize_t guv_send(int fd, const void* data, size_t size, int flags, int64_t deadline);

/** sendmsg(2) of several pieces in one call: moves what there is room for. With a deadline. */
GUV_API ssize_t guv_sendv(int fd, const struct iovec* pieces, int count, int flags, int64_t deadline);

/** accept4(2), with a deadline. `flags` such as SOCK_CLOEXEC are for the new socket. */
GUV_API int guv_accept(int fd, struct sockaddr* address, socklen_t* size, int flags, int64_t deadline);

/** connect(2), with a deadline. After -ETIMEDOUT the socket is to be closed. */
GUV_API int guv_connect(int fd, const struct sockaddr* address, socklen_t size, int64_t deadline);

/* ---- the hub ----------------------------------------------------------------------------------------------------- */

/** Starts guv and makes the calling thread, which must be the process's main thread, its first green thread. Called by
 *  guv_spawn and pthread_create themselves. -ENOTSUP: it cannot be (it has said why on standard error). */
GUV_API int guv_start(void);

/** Has `function(argument)` called on the hub, soon, in the order of the calls. From any thread, and on the hub.
 *  -ENOMEM. */
GUV_API int guv_call_on_hub(void (*function)(void* argument), void* argument);

/** Calls `function(argument)` on a kernel thread of guv's while the calling green thread waits: for what computes long,
 *  or blocks in ways that guv does not know. Inside it all blocking is native. Called directly on a kernel thread.
 *  `*result` gets what it returned. */
GUV_API int guv_offload(void* (*function)(void* argument), void* argument, void** result);

/** Returns the libuv loop that runs within the hub, for handles of the program's own; NULL when guv cannot start.
 *  Libuv's calls are to be made by green threads or on the hub; its callbacks run on the hub. */
GUV_API struct uv_loop_s* guv_uv_loop(void);

#ifdef __cplusplus
}
#endif

#include <guv/patcher.h>

#include <guv/event.h>
#include <guv/local.h>
#include <guv/net.h>
#include <guv/pool.h>
#include <guv/queue.h>
#include <guv/semaphore.h>

#endif
