/* semaphore.h - counters of permits. What semaphore.hpp has, for C. guv.h includes it.
 *
 * Who waits gets on in the order of coming. With deadline 0 nothing here waits, and all may be called on the hub. A
 * semaphore may be freed as soon as nobody waits for it. */
#ifndef GUV_SEMAPHORE_H
#define GUV_SEMAPHORE_H

#include <guv/guv.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct guv_semaphore guv_semaphore;

/** Returns a semaphore with `value` permits, which any thread may add to; NULL without memory, or when `value` is
 *  negative. */
GUV_API guv_semaphore* guv_semaphore_new(long value);

/** As guv_semaphore_new, for one that never has more permits than at first. */
GUV_API guv_semaphore* guv_bounded_semaphore_new(long value);

/** NULL is ignored. */
GUV_API void guv_semaphore_free(guv_semaphore* semaphore);

/** Takes a permit, and waits until there is one; -ETIMEDOUT. */
GUV_API int guv_semaphore_acquire(guv_semaphore* semaphore, int64_t deadline);

/** Gives one back: to the thread that has waited longest, if any does. Never waits. -ERANGE, having changed nothing: a
 *  bounded semaphore has as many as at first. */
GUV_API int guv_semaphore_release(guv_semaphore* semaphore);

/** Returns how many can be taken before one has to wait; negative, the number of threads that wait. */
GUV_API long guv_semaphore_balance(const guv_semaphore* semaphore);

/** Returns 1 if guv_semaphore_acquire would wait, else 0. */
GUV_API int guv_semaphore_locked(const guv_semaphore* semaphore);

/** A semaphore with a limit at which giving back waits, as taking does at zero. */
typedef struct guv_capped_semaphore guv_capped_semaphore;

/** NULL without memory, or unless 0 <= count <= limit. */
GUV_API guv_capped_semaphore* guv_capped_semaphore_new(long count, long limit);

/** NULL is ignored. */
GUV_API void guv_capped_semaphore_free(guv_capped_semaphore* semaphore);

/** Takes a permit, and waits until there is one; -ETIMEDOUT. */
GUV_API int guv_capped_semaphore_acquire(guv_capped_semaphore* semaphore, int64_t deadline);

/** Gives one back, and waits until there are less than the limit; -ETIMEDOUT. */
GUV_API int guv_capped_semaphore_release(guv_capped_semaphore* semaphore, int64_t deadline);

/** Returns the permits, less the threads that wait to take one, plus those that wait to give one back. */
GUV_API long guv_capped_semaphore_balance(const guv_capped_semaphore* semaphore);

/** Returns 1 if guv_capped_semaphore_acquire would wait, else 0. */
GUV_API int guv_capped_semaphore_locked(const guv_capped_semaphore* semaphore);

/** Returns 1 if guv_capped_semaphore_release would wait, else 0. */
GUV_API int guv_capped_semaphore_bounded(const guv_capped_semaphore* semaphore);

#ifdef __cplusplus
}
#endif

#endif
