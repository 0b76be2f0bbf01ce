/* event.h - waiting for something that another thread makes happen. What event.hpp has, for C. guv.h includes it.
 *
 * Making an event happen never waits and never switches threads; it may be done on the hub too. An object may be freed
 * as soon as nobody waits for it, also while the call that made it happen is still returning. */
#ifndef GUV_EVENT_H
#define GUV_EVENT_H

#include <guv/guv.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- one value, for all who wait --------------------------------------------------------------------------------- */

typedef struct guv_event guv_event;

/** Returns an event to which nothing has been sent; NULL without memory. */
GUV_API guv_event* guv_event_new(void);

/** NULL is ignored. */
GUV_API void guv_event_free(guv_event* event);

/** Wakes the waiters with `value`. -EALREADY when something has been sent already, and not reset since. */
GUV_API int guv_event_send(guv_event* event, void* value);

/** As guv_event_send; guv_event_wait returns `error`, a negative errno value. */
GUV_API int guv_event_send_error(guv_event* event, int error);

/** Waits until something has been sent; `*value` (if `value` is not NULL) gets it. 0, the error that was sent,
 *  -ETIMEDOUT. */
GUV_API int guv_event_wait(guv_event* event, void** value, int64_t deadline);

/** Returns 1 if guv_event_wait would return at once, else 0. */
GUV_API int guv_event_ready(const guv_event* event);

/** Makes it an event to which nothing has been sent. Who was waiting when something was sent gets that still;
 *  who waits for what has not been sent waits on. -ENOMEM. */
GUV_API int guv_event_reset(guv_event* event);

/* ---- a flag ------------------------------------------------------------------------------------------------------ */

typedef struct guv_tevent guv_tevent;

/** Names one call that a rawlink function has arranged; all zeros names none. */
typedef struct guv_link_id {
  void* opaque;
} guv_link_id;

/** Returns a flag that is not set; NULL without memory. */
GUV_API guv_tevent* guv_tevent_new(void);

/** NULL is ignored. */
GUV_API void guv_tevent_free(guv_tevent* event);

/** Sets the flag, and wakes all who wait for it, even if it is cleared at once. -ENOMEM: set, but not all links will be
 *  called. */
GUV_API int guv_tevent_set(guv_tevent* event);

/** Clears the flag: who waits from now on waits until it is set again. */
GUV_API void guv_tevent_clear(guv_tevent* event);

/** Returns 1 if the flag is set, else 0. */
GUV_API int guv_tevent_is_set(const guv_tevent* event);

/** Waits until the flag is set; -ETIMEDOUT. */
GUV_API int guv_tevent_wait(guv_tevent* event, int64_t deadline);

/** Has `function(event, argument)` called on the hub each time the flag is set; soon if it is set now. `*link` (if
 *  `link` is not NULL) gets its name. -ENOMEM. */
GUV_API int guv_tevent_rawlink(guv_tevent* event, void (*function)(guv_tevent* event, void* argument), void* argument,
                               guv_link_id* link);

/** Takes that back. Returns 1 if it was linked, else 0. */
GUV_API int guv_tevent_unlink(guv_tevent* event, guv_link_id link);

/* ---- a result that comes later ----------------------------------------------------------------------------------- */

typedef struct guv_async_result guv_async_result;

/** Returns one without a result; NULL without memory. */
GUV_API guv_async_result* guv_async_result_new(void);

/** NULL is ignored. */
GUV_API void guv_async_result_free(guv_async_result* result);

/** Gives the value. -EALREADY when there is a value or an error already. */
GUV_API int guv_async_result_set(guv_async_result* result, void* value);

/** Gives an error, a negative errno value, instead. */
GUV_API int guv_async_result_set_error(guv_async_result* result, int error);

/** Takes over the result or error of a thread: guv_thread_link(thread, guv_async_result_take, result). */
GUV_API void guv_async_result_take(guv_thread* thread, void* result);

/** Waits for the value, which `*value` gets (if `value` is not NULL). 0, the error that was given, -ETIMEDOUT. */
GUV_API int guv_async_result_get(guv_async_result* result, void** value, int64_t deadline);

/** Waits until there is a value or an error; -ETIMEDOUT. */
GUV_API int guv_async_result_wait(guv_async_result* result, int64_t deadline);

/** Returns 1 if there is a value or an error, else 0. */
GUV_API int guv_async_result_ready(const guv_async_result* result);

/** Returns 1 if there is a value, else 0. */
GUV_API int guv_async_result_successful(const guv_async_result* result);

/** Returns the error that was given; 0 when there is none. */
GUV_API int guv_async_result_error(const guv_async_result* result);

/** Has `function(result, argument)` called on the hub when there is a value or an error, once; soon if there is one
 *  now. -ENOMEM. */
GUV_API int guv_async_result_rawlink(guv_async_result* result,
                                     void (*function)(guv_async_result* result, void* argument), void* argument,
                                     guv_link_id* link);

/** Takes that back. Returns 1 if it was linked, else 0. */
GUV_API int guv_async_result_unlink(guv_async_result* result, guv_link_id link);

#ifdef __cplusplus
}
#endif

#endif
