// Message queues and semaphores of POSIX and System V. mq_overview(7), sysvipc(7).
#include <mqueue.h>
#include <sys/msg.h>
#include <sys/sem.h>

#include "interpose.hpp"
#include "wait/pool.hpp"

namespace guv {

namespace {

// A queue's descriptor can be polled. An absolute time that is long past makes a try of a timed call.
constexpr timespec long_past{0, 0};

class QueueWait : public FdWait {
 public:
  QueueWait(mqd_t queue, Direction direction, const timespec* until)
      : FdWait(queue, direction, 0, Timeout::none),
        until_(until ? Deadline::on(CLOCK_REALTIME, *until) : Deadline::never()) {}
  bool would_block(long result) const { return result == -ETIMEDOUT; }
  Deadline deadline() const { return until_; }
  long give_up(int reason) const { return -reason; }

 private:
  Deadline until_;
};

long receive(mqd_t queue, char* message, size_t size, unsigned* priority, const timespec* until) {
  return blocking(QueueWait(queue, reading, until), [=](Mode mode) {
    return sys::call(SYS_mq_timedreceive, queue, message, size, priority, mode == Mode::native ? until : &long_past);
  });
}

long send(mqd_t queue, const char* message, size_t size, unsigned priority, const timespec* until) {
  return blocking(QueueWait(queue, writing, until), [=](Mode mode) {
    return sys::call(SYS_mq_timedsend, queue, message, size, priority, mode == Mode::native ? until : &long_past);
  });
}

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(ssize_t, mq_receive, (mqd_t queue, char* message, size_t size, unsigned* priority)) {
  return sys::result(receive(queue, message, size, priority, nullptr));
}

GUV_INTERPOSE(ssize_t, mq_timedreceive,
              (mqd_t queue, char* message, size_t size, unsigned* priority, const timespec* until)) {
  if (until && !valid(*until)) return sys::result(-EINVAL);
  return sys::result(receive(queue, message, size, priority, until));
}

GUV_INTERPOSE(int, mq_send, (mqd_t queue, const char* message, size_t size, unsigned priority)) {
  return static_cast<int>(sys::result(send(queue, message, size, priority, nullptr)));
}

GUV_INTERPOSE(int, mq_timedsend,
              (mqd_t queue, const char* message, size_t size, unsigned priority, const timespec* until)) {
  if (until && !valid(*until)) return static_cast<int>(sys::result(-EINVAL));
  return static_cast<int>(sys::result(send(queue, message, size, priority, until)));
}

// System V has nothing to poll: what IPC_NOWAIT refuses waits on a helper thread. signal(7): never restarted.

GUV_INTERPOSE(ssize_t, msgrcv, (int queue, void* message, size_t size, long type, int flags)) {
  return sys::result(blocking(PoolWait(flags & IPC_NOWAIT ? 0 : ENOMSG, OnHandler::end), [=](Mode mode) {
    return sys::call(SYS_msgrcv, queue, message, size, type, flags | only_if(mode, IPC_NOWAIT));
  }));
}

GUV_INTERPOSE(int, msgsnd, (int queue, const void* message, size_t size, int flags)) {
  return static_cast<int>(sys::result(blocking(PoolWait(flags & IPC_NOWAIT ? 0 : EAGAIN, OnHandler::end), [=](Mode mode) {
    return sys::call(SYS_msgsnd, queue, message, size, flags | only_if(mode, IPC_NOWAIT));
  })));
}

GUV_INTERPOSE(int, semtimedop, (int set, sembuf* operations, size_t count, const timespec* timeout)) {
  // A time-out of nothing is a try. Operations with IPC_NOWAIT of their own say EAGAIN either way: ask again, natively.
  constexpr timespec at_once{0, 0};
  Patience patience(timeout);
  return static_cast<int>(sys::result(blocking(PoolWait(EAGAIN, OnHandler::end), [&](Mode mode) {
    return sys::call(SYS_semtimedop, set, operations, count, mode == Mode::native ? patience.left() : &at_once);
  })));
}

GUV_INTERPOSE(int, semop, (int set, sembuf* operations, size_t count)) {
  return guv_wrap_semtimedop(set, operations, count, nullptr);
}
