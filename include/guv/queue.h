/* queue.h - queues of pointers between threads. What queue.hpp has, for C. guv.h includes it.
 *
 * Who waits gets on in the order of coming. With deadline 0 nothing here waits, and all may be called on the hub. Kills
 * and time-outs lose no item: when putting or getting has ended with an error, nothing has been put or got. */
#ifndef GUV_QUEUE_H
#define GUV_QUEUE_H

#include <guv/guv.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct guv_queue guv_queue;

/** Returns a queue, first in first out, of at most `maxsize` items; any number if it is negative. With 0 it is a
 *  channel: putting waits until the item is taken. NULL without memory. */
GUV_API guv_queue* guv_queue_new(ssize_t maxsize);

/** As guv_queue_new; the last item put in is taken first. */
GUV_API guv_queue* guv_lifo_queue_new(ssize_t maxsize);

/** As guv_queue_new; the lowest item is taken first. `compare(a, b)` is negative if a is lower than b; it must not
 *  wait, nor allocate memory. */
GUV_API guv_queue* guv_priority_queue_new(ssize_t maxsize, int (*compare)(const void* a, const void* b));

/** Items that are still in it are dropped. */
GUV_API void guv_queue_free(guv_queue* queue);

/** Puts an item in, and waits until there is room for it. -EAGAIN with deadline 0 when there is none, -ETIMEDOUT at
 *  another one, -ENOMEM. */
GUV_API int guv_queue_put(guv_queue* queue, void* item, int64_t deadline);

/** Takes the next item out, and waits until there is one. -EAGAIN with deadline 0 when there is none, -ETIMEDOUT at
 *  another one. */
GUV_API int guv_queue_get(guv_queue* queue, void** item, int64_t deadline);

/** Returns how many items there are. */
GUV_API size_t guv_queue_size(const guv_queue* queue);

/** Returns 1 if there are as many as there may be (of a channel always), else 0. */
GUV_API int guv_queue_full(const guv_queue* queue);

/** Returns how many threads wait for an item. */
GUV_API size_t guv_queue_getting(const guv_queue* queue);

/** Returns how many threads wait for room. */
GUV_API size_t guv_queue_putting(const guv_queue* queue);

/** Changes the greatest size, and lets in whom there is room for. -ENOMEM. */
GUV_API int guv_queue_resize(guv_queue* queue, ssize_t maxsize);

/** Says that the work on an item that was got is done. -EINVAL when that has been said of all. */
GUV_API int guv_queue_task_done(guv_queue* queue);

/** Waits until guv_queue_task_done has been called for every item that has been put in; -ETIMEDOUT. */
GUV_API int guv_queue_join(guv_queue* queue, int64_t deadline);

#ifdef __cplusplus
}
#endif

#endif
