/* patcher.h - which calls of libc lead to guv.
 *
 * Run under guv-run, a program's calls are green from the start. A program that only links libguv, or loads it by dlopen, is left
 * as it is until it says guv_monkey_patch(): a call that blocks then holds up all green threads.
 *
 * The names of families are those of GUV_FAMILIES: time io socket select thread dns process file signal sync; libguv(7) says what
 * is in each. Functions return 0 or a negative errno where nothing else is said. All may be called from any thread; none but
 * guv_is_monkey_patched from signal handlers.
 */
#ifndef GUV_PATCHER_H
#define GUV_PATCHER_H

#include <guv/guv.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Makes the calls of `families` green, in the whole process and for good: a list such as "socket,time" or "all,-dns"; NULL or "all"
 *  for all of them. What they need comes with them: every family needs `sync`. May be called any number of times.
 *  Call it early, as in Python: a thread that waits in libc already goes on waiting there, and libc's code is changed while no other
 *  kernel thread should be running in it. With GUV_NO_GREENDNS set, `dns` stays as it is.
 *  Returns -EINVAL, having changed nothing, if a word is the name of no family. */
GUV_API int guv_monkey_patch(const char* families);

/** Returns 1 if `name`, a family or else a function of libc, leads to guv now; else 0. "all" asks for all families. Functions that guv
 *  must see whatever the families are (close, fork, sigaction …) always do. */
GUV_API int guv_is_monkey_patched(const char* name);

/** Returns the function `name` as it is without guv: called on a green thread it blocks, and holds up all of them. Where libc's own
 *  code leads to guv, the function returned has the effect of the original. What such a function calls inside libc may still be
 *  green: guv_original("fgets") is fgets, and its read is what read is.
 *  Of a name that guv does nothing about, it is the function that a library behind guv defines; NULL when none does. */
GUV_API void* guv_original(const char* name);

#ifdef __cplusplus
}
#endif

#endif
