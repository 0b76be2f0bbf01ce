// Semaphores for C: those of semaphore.hpp.
#include "guv/semaphore.hpp"

#include "api/exceptions.hpp"

using guv::Deadline;
using guv::api::make;

struct guv_semaphore {
  guv_semaphore(long value, long most) : permits(value), limit(most) {}
  guv::detail::Permits permits;
  const long limit;
};

struct guv_capped_semaphore : guv::CappedSemaphore {
  using CappedSemaphore::CappedSemaphore;
  using CappedSemaphore::give;
  using CappedSemaphore::take;
};

namespace {

guv_semaphore* make_semaphore(long value, long limit) {
  return value < 0 ? nullptr : make<guv_semaphore>(value, limit);
}

}  // namespace

extern "C" {

guv_semaphore* guv_semaphore_new(long value) { return make_semaphore(value, LONG_MAX); }
guv_semaphore* guv_bounded_semaphore_new(long value) { return make_semaphore(value, value); }
void guv_semaphore_free(guv_semaphore* semaphore) { delete semaphore; }
int guv_semaphore_acquire(guv_semaphore* semaphore, int64_t deadline) {
  return semaphore->permits.take(Deadline::at(deadline));
}
int guv_semaphore_release(guv_semaphore* semaphore) { return semaphore->permits.give(semaphore->limit) ? 0 : -ERANGE; }
long guv_semaphore_balance(const guv_semaphore* semaphore) { return semaphore->permits.balance(); }
int guv_semaphore_locked(const guv_semaphore* semaphore) { return semaphore->permits.count() <= 0; }

guv_capped_semaphore* guv_capped_semaphore_new(long count, long limit) {
  return count < 0 || count > limit ? nullptr : make<guv_capped_semaphore>(count, limit);
}
void guv_capped_semaphore_free(guv_capped_semaphore* semaphore) { delete semaphore; }
int guv_capped_semaphore_acquire(guv_capped_semaphore* semaphore, int64_t deadline) {
  return semaphore->take(Deadline::at(deadline));
}
int guv_capped_semaphore_release(guv_capped_semaphore* semaphore, int64_t deadline) {
  return semaphore->give(Deadline::at(deadline));
}
long guv_capped_semaphore_balance(const guv_capped_semaphore* semaphore) { return semaphore->balance(); }
int guv_capped_semaphore_locked(const guv_capped_semaphore* semaphore) { return semaphore->locked(); }
int guv_capped_semaphore_bounded(const guv_capped_semaphore* semaphore) { return semaphore->bounded(); }

}  // extern "C"
