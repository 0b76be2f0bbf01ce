/* pool.h - no more than so many green threads at once. What pool.hpp has, for C. guv.h includes it. */
#ifndef GUV_POOL_H
#define GUV_POOL_H

#include <guv/guv.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct guv_pool guv_pool;

/** Returns a pool of at most `size` threads; NULL without memory. */
GUV_API guv_pool* guv_pool_new(size_t size);

/** Threads that are left run on. */
GUV_API void guv_pool_free(guv_pool* pool);

/** As guv_spawn, when there is a place; waits until there is. In a thread of the pool, when there is none, it waits
 *  instead until the new thread has ended, which runs in the caller's place. */
GUV_API int guv_pool_spawn(guv_pool* pool, guv_thread** thread, void* (*function)(void* argument), void* argument);

/** Waits until no thread of the pool is left; -ETIMEDOUT. -EDEADLK in a thread of the pool. */
GUV_API int guv_pool_waitall(guv_pool* pool, int64_t deadline);

/** Returns how many can be spawned before one has to wait; negative after guv_pool_resize to less than there are. */
GUV_API long guv_pool_available(const guv_pool* pool);

/** Returns how many threads there are. */
GUV_API size_t guv_pool_running(const guv_pool* pool);

/** Returns how many threads wait for a place. */
GUV_API size_t guv_pool_waiting(const guv_pool* pool);

/** Changes the size. Threads that are too many run to their end. */
GUV_API void guv_pool_resize(guv_pool* pool, size_t size);

/** Calls on the threads of a pool, whose results are wanted in order. For one thread. */
typedef struct guv_pile guv_pile;

/** Returns a pile of calls that are to be made by guv_pile_spawn; NULL without memory. The pool may be freed before
 *  it. */
GUV_API guv_pile* guv_pile_new(guv_pool* pool);

/** Returns a pile of `function(item)` for each item that `next(argument, &item)` gives, until it returns 0 instead of
 *  1. It is asked as the results are taken: never are there more threads and results than the pool's size. NULL without
 *  memory. */
GUV_API guv_pile* guv_starmap_new(guv_pool* pool, void* (*function)(void* item),
                                  int (*next)(void* argument, void** item), void* argument);

/** Threads that are left run on. */
GUV_API void guv_pile_free(guv_pile* pile);

/** As guv_pool_spawn; the result is for guv_pile_next. */
GUV_API int guv_pile_spawn(guv_pile* pile, void* (*function)(void* argument), void* argument);

/** Waits for the next result, which `*result` gets (if `result` is not NULL). Returns 1, 0 when there are no more, or
 *  the error with which the thread ended. */
GUV_API int guv_pile_next(guv_pile* pile, void** result);

#ifdef __cplusplus
}
#endif

#endif
