/* guv.h - what a program can ask libguv.so about itself.
 *
 * A program may link with -lguv, or be run under guv-run without knowing of it; such a program finds these by dlsym.
 * All functions may be called from any thread, green or not, and from signal handlers. None blocks, allocates or sets errno.
 */
#ifndef GUV_GUV_H
#define GUV_GUV_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define GUV_API __attribute__((visibility("default")))
#else
#define GUV_API
#endif

/** Returns the library's version, such as "0.1.0". The string lives as long as the process. */
GUV_API const char* guv_version(void);

/** Returns 1 once the threads of this process are green, else 0: before the first pthread_create, in a process where guv
 *  could not start (it has said why on standard error), or with the family `thread` switched off. */
GUV_API int guv_active(void);

/** Returns the number of the calling green thread: 1 for the thread the process began with, then in the order of creation,
 *  never reused. 0 when the caller is a kernel thread. */
GUV_API uint64_t guv_thread_number(void);

/** Returns how many green threads of this process have been made and have not ended, the main thread included; 0 while
 *  guv_active() is 0. */
GUV_API uint64_t guv_thread_count(void);

#ifdef __cplusplus
}
#endif

#endif
