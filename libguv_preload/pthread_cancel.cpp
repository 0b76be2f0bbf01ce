// Cancellation: libc's flags and unwinding; guv wakes the thread and knows the asynchronous type. pthreads(7).
#include "base/tcb.hpp"
#include "interpose.hpp"

namespace guv {

namespace {

/// The type in the TCB is deferred, so libc sets flags and sends no signal. But when the target waits inside libc on a helper,
/// or has come from there for a handler, it does, and the hub sends it to the helper again: to the thread's id, which is an
/// invented one (ESRCH), but for the main thread, whose id is the hub's own.
int set_flags(const GreenThread& target) {
  const bool sent_here = per_thread.hub && &target == &runtime().main_thread();
  const signals::DeafToCancellation deaf(sent_here);
  const int error = real().pthread_cancel(target.pthread());
  return error == ESRCH ? 0 : error;
}

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(int, pthread_cancel, (pthread_t thread)) {
  GreenThread* target = green_thread_of(thread);
  if (!target) return real().pthread_cancel(thread);
  if (target->state == State::finished) return 0;
  if (const int error = set_flags(*target)) return error;
  target->cancel_requested = true;
  if (target != self()) {
    Hub::unpark(target);
  } else {
    test_asynchronous_cancel(*target);
  }
  return 0;
}

GUV_INTERPOSE(int, pthread_setcanceltype, (int type, int* old)) {
  GreenThread* me = self();
  if (!me) return real().pthread_setcanceltype(type, old);
  if (type != PTHREAD_CANCEL_DEFERRED && type != PTHREAD_CANCEL_ASYNCHRONOUS) return EINVAL;
  if (old) *old = me->cancel_asynchronous ? PTHREAD_CANCEL_ASYNCHRONOUS : PTHREAD_CANCEL_DEFERRED;
  me->cancel_asynchronous = type == PTHREAD_CANCEL_ASYNCHRONOUS;
  test_asynchronous_cancel(*me);
  return 0;
}

GUV_INTERPOSE(int, pthread_setcancelstate, (int state, int* old)) {
  const int error = real().pthread_setcancelstate(state, old);
  if (GreenThread* me = self(); me && !error) test_asynchronous_cancel(*me);
  return error;
}
