// Asynchronous I/O: libc's own threads make the transfers, and nothing but libc tells when one is done. Who waits for
// them does so on a helper.
#include <aio.h>

#include "interpose.hpp"
#include "wait/pool.hpp"

namespace guv {

namespace {

/// In libc a futex waits: without a time-out it goes on after a handler with SA_RESTART, with one it ends.
PoolWait completion(const timespec* timeout) {
  return PoolWait(EAGAIN, timeout ? OnHandler::end : OnHandler::restart_if_asked);
}

long suspend(PoolWait on, const aiocb* const list[], int count, const timespec* timeout) {
  static const auto next = GUV_NEXT(aio_suspend);
  Patience patience(timeout);
  return blocking(on, [&](Mode mode) -> long {
    const int saved_errno = errno;
    constexpr timespec no_time{};
    // Cancelled in its wait, libc would not come back before its own signal had arrived. Ours ends the wait.
    const WithoutCancellation scope;
    const int error = next(list, count, mode == Mode::attempt ? &no_time : patience.left()) == 0 ? 0 : errno;
    errno = saved_errno;
    return -error;
  });
}

/// LIO_WAIT in steps of its own, since libc's cannot be left and taken up again when a handler has run. Not a
/// cancellation point, as in libc.
long submit_and_wait(aiocb* const list[], int count) {
  static const auto submit = GUV_NEXT(lio_listio);
  bool submitted = false, failed = false;
  for (int i = 0; i < count; ++i) {
    if (!list[i] || list[i]->aio_lio_opcode == LIO_NOP) continue;
    if (submit(LIO_NOWAIT, &list[i], 1, nullptr) == 0)
      submitted = true;
    else
      failed = true;
  }
  if (!submitted) return failed ? -errno : 0;
  PoolWait on = completion(nullptr);
  on.cancellation_point = false;
  for (int i = 0; i < count; ++i) {
    if (!list[i] || list[i]->aio_lio_opcode == LIO_NOP) continue;
    while (aio_error(list[i]) == EINPROGRESS) {
      if (const long result = suspend(on, &list[i], 1, nullptr); sys::failed(result)) return result;
    }
    if (aio_error(list[i]) != 0) failed = true;
  }
  return failed ? -EIO : 0;
}

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(int, aio_suspend, (const aiocb* const list[], int count, const timespec* timeout)) {
  if (!self()) return GUV_NEXT(aio_suspend)(list, count, timeout);
  return static_cast<int>(sys::result(suspend(completion(timeout), list, count, timeout)));
}
GUV_ALSO(aio_suspend64, aio_suspend);

GUV_INTERPOSE(int, lio_listio, (int mode, aiocb* const list[], int count, sigevent* event)) {
  if (!self() || mode != LIO_WAIT || count < 0) return GUV_NEXT(lio_listio)(mode, list, count, event);
  return static_cast<int>(sys::result(submit_and_wait(list, count)));
}
GUV_ALSO(lio_listio64, lio_listio);
