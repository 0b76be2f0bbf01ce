// What the kernel keeps for each kernel thread by itself and a program changes for the calling one: capabilities, namespaces,
// identity for files, personality. All green threads of a hub share it, and helpers must have it, too.
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/personality.h>
#include <unistd.h>

#include "interpose.hpp"
#include "wait/pool.hpp"

namespace guv {

namespace {

/// The result of a call that changes something unless it fails.
int changed(int result) {
  if (result != -1) kernel_thread_changed();
  return result;
}

int moved(int result) {
  if (result == 0 && self()) runtime().disk().mounts().forget();
  return changed(result);
}

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE_UNDECLARED(int, capset, (void* header, const void* data)) {
  return changed(static_cast<int>(sys::result(sys::call(SYS_capset, header, data))));
}

GUV_INTERPOSE(int, personality, (unsigned long persona)) {
  static const auto next = GUV_NEXT(personality);
  return changed(next(persona));
}

GUV_INTERPOSE(int, setfsuid, (uid_t user)) { return changed(static_cast<int>(sys::call(SYS_setfsuid, user))); }
GUV_INTERPOSE(int, setfsgid, (gid_t group)) { return changed(static_cast<int>(sys::call(SYS_setfsgid, group))); }

GUV_INTERPOSE(int, setns, (int fd, int kind)) {
  return moved(static_cast<int>(sys::result(sys::call(SYS_setns, fd, kind))));
}
GUV_INTERPOSE(int, unshare, (int flags)) { return moved(static_cast<int>(sys::result(sys::call(SYS_unshare, flags)))); }

GUV_INTERPOSE(int, nice, (int change)) {
  static const auto next = GUV_NEXT(nice);
  const int result = next(change);
  kernel_thread_changed();
  return result;
}
