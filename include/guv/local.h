/* local.h - variables of which every thread has its own. What local.hpp has, for C. guv.h includes it. */
#ifndef GUV_LOCAL_H
#define GUV_LOCAL_H

#include <guv/guv.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct guv_local guv_local;

/** Makes a variable that is NULL in every thread, green or kernel. When a thread ends whose own is not, `destroy` (if
 *  not NULL) is called with it. -ENOMEM; -EAGAIN: it takes one of the process's 1024 keys (pthread_key_create(3)). */
GUV_API int guv_local_new(guv_local** local, void (*destroy)(void* value));

/** The values of threads that are alive are not destroyed. */
GUV_API void guv_local_free(guv_local* local);

/** Returns the calling thread's own. */
GUV_API void* guv_local_get(const guv_local* local);

/** Changes the calling thread's own; what it was is not destroyed. -ENOMEM. */
GUV_API int guv_local_set(guv_local* local, void* value);

#ifdef __cplusplus
}
#endif

#endif
