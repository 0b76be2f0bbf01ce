/* patcher.h - which calls of libc lead to guv.
 *
 * Run under guv-run, a program's calls are green from the start. A program that only links libguv, or loads it by
 * dlopen, is left as it is until it says guv_monkey_patch(): a call that blocks then holds up all green threads.
 *
 * The names of families are those of GUV_FAMILIES: time io socket select thread dns process file signal sync; libguv(7)
 * says what is in each. Functions return 0 or a negative errno where nothing else is said. All may be called from any
 * thread, those that change something by one at a time; none but guv_is_monkey_patched from signal handlers.
 */
#ifndef GUV_PATCHER_H
#define GUV_PATCHER_H

#include <guv/guv.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Makes the calls of `families` green, in the whole process and for good: a list such as "socket,time" or "all,-dns";
 *  NULL or "all" for all of them. What they need comes with them: every family needs `sync`. May be called any number
 *  of times. Call it early, as in Python: a thread that waits in libc already goes on waiting there, and libc's code is
 *  changed while no other kernel thread should be running in it. With GUV_NO_GREENDNS set, `dns` stays as it is.
 *  Returns -EINVAL, having changed nothing, if a word is the name of no family. */
GUV_API int guv_monkey_patch(const char* families);

/** Returns 1 if `name`, a family or else a function of libc, leads to guv now; else 0. "all" asks for all families.
 *  Functions that guv must see whatever the families are (close, fork, sigaction …) always do. */
GUV_API int guv_is_monkey_patched(const char* name);

/** Returns the function `name` as it is without guv: called on a green thread it blocks, and holds up all of them.
 *  Where libc's own code leads to guv, the function returned has the effect of the original. What such a function calls
 *  inside libc may still be green: guv_original("fgets") is fgets, and its read is what read is. Of a name that guv
 *  does nothing about, it is the function that a library behind guv defines; NULL when none does. */
GUV_API void* guv_original(const char* name);

/** From here on all calls of the calling thread are green, whatever the families are, until the guv_leave_patched that
 *  belongs to it. May be nested. It concerns what the program and its libraries call by name; what libc calls inside
 *  itself is green where the families are switched on. Threads that are made meanwhile are green ones, whose calls are
 *  as everywhere. Brings `sync` with it. */
GUV_API void guv_enter_patched(void);

/** Ends what the last guv_enter_patched of this thread has begun. */
GUV_API void guv_leave_patched(void);

/** Returns what `function(argument)` does, called between the two; they are left however it ends. */
GUV_API void* guv_call_patched(void* (*function)(void* argument), void* argument);

/* ---- one library ------------------------------------------------------------------------------------------------- */

/** What has been rebound in an object, to be put back. */
typedef struct guv_patch guv_patch;

/** One import of an object, and the function that its calls shall lead to. */
struct guv_import {
  const char* name;
  void* function;
};

/** For guv_import_patched: the libraries that it needs, too; libc and those of guv are left out. For a library that has
 *  another make its calls. libpq and libcurl make theirs themselves, with TLS too. */
#define GUV_WITH_DEPENDENCIES 0x40000000

/** Loads a library as dlopen(path, flags) does and rebinds what it imports of libc to guv: its calls are green,
 *  whatever the families are. `flags` are dlopen's, with or without GUV_WITH_DEPENDENCIES. Brings `sync` with it. There
 *  is one of each library in a process: others that use it find it green, too. `*handle` is for dlsym and dlclose.
 *  `patch` may be NULL: then it stays so. -ENOENT: not found; -ENOEXEC: cannot be loaded (dlerror(3) says why);
 *  -EACCES: the system does not allow to change it. */
GUV_API int guv_import_patched(const char* path, int flags, void** handle, guv_patch** patch);

/** Has the imports named in `imports` of one loaded object lead to other functions. `handle` is dlopen's; dlopen(NULL)
 *  is the program itself. Only calls of that object are concerned, by name or by the pointers that its file contains.
 *  `patch` may be NULL. -ENOENT: it imports one of the names not, and nothing was changed; -EINVAL: not a handle;
 *  -EACCES. */
GUV_API int guv_inject(void* handle, const struct guv_import* imports, size_t count, guv_patch** patch);

/** Puts back what was there before, and frees `patch` (NULL is allowed). Several patches of an object are undone last
 *  one first. The object stays loaded until then. Calls under way go on. */
GUV_API void guv_undo(guv_patch* patch);

#ifdef __cplusplus
}
#endif

#endif
