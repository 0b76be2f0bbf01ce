#include "arrival.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include <string_view>

#include "base/sys.hpp"

namespace guv {

namespace {

constexpr std::string_view separators = ": \t\n";

bool is_libguv(std::string_view file) {
  const size_t slash = file.rfind('/');
  if (slash != file.npos) file.remove_prefix(slash + 1);
  return file.starts_with("libguv.so");
}

/// Takes the next name off `list`, the value of LD_PRELOAD or the like; empty at its end.
std::string_view next_name(std::string_view& list) {
  list.remove_prefix(std::min(list.find_first_not_of(separators), list.size()));
  const std::string_view name = list.substr(0, list.find_first_of(separators));
  list.remove_prefix(name.size());
  return name;
}

bool has_libguv(std::string_view list) {
  for (std::string_view name = next_name(list); !name.empty(); name = next_name(list)) {
    if (is_libguv(name)) return true;
  }
  return false;
}

bool in_preload_file() {
  const long fd = sys::call(SYS_openat, AT_FDCWD, "/etc/ld.so.preload", O_RDONLY | O_CLOEXEC);
  if (sys::failed(fd)) return false;
  char text[4096];
  const long size = sys::call(SYS_read, fd, text, sizeof text);
  sys::call(SYS_close, fd);
  return size > 0 && has_libguv({text, static_cast<size_t>(size)});
}

bool needs_libguv(const link_map& object) {
  const char* strings = nullptr;
  for (const ElfW(Dyn)* entry = object.l_ld; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_STRTAB) strings = reinterpret_cast<const char*>(entry->d_un.d_ptr);
  }
  // The kernel's object, whose addresses are not relocated, needs nothing.
  for (const ElfW(Dyn)* entry = object.l_ld; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_NEEDED && is_libguv(strings + entry->d_un.d_val)) return true;
  }
  return false;
}

bool somebody_needs_libguv() {
  for (const link_map* object = _r_debug.r_map; object; object = object->l_next) {
    if (needs_libguv(*object)) return true;
  }
  return false;
}

/// False where it was loaded by dlopen: then nobody's calls come here.
bool before_libc() {
  // Not RTLD_DEFAULT: an object that is linked with -Bsymbolic finds its own names first.
  const void* found = dlsym(dlopen(nullptr, RTLD_LAZY), "__libc_start_main");
  Dl_info info, here;
  return found && dladdr(found, &info) && dladdr(reinterpret_cast<void*>(&preloaded), &here) &&
         info.dli_fbase == here.dli_fbase;
}

}  // namespace

bool preloaded() {
  const char* list = getenv("LD_PRELOAD");
  if (list && has_libguv(list)) return true;
  // By another name, by ld.so --preload, or by the system's file.
  return before_libc() && (!somebody_needs_libguv() || in_preload_file());
}

// LD_PRELOAD is read by the loader alone: without it in the environment the programs we start run natively.
void leave_children_alone() {
  const char* value = getenv("LD_PRELOAD");
  if (!value) return;
  std::string_view list = value;
  char kept[4096] = "";
  size_t length = 0;
  for (std::string_view name = next_name(list); !name.empty(); name = next_name(list)) {
    if (is_libguv(name) || length + name.size() + 2 > sizeof kept) continue;
    if (length) kept[length++] = ':';
    length += name.copy(kept + length, name.size());
    kept[length] = '\0';
  }
  if (*kept) {
    setenv("LD_PRELOAD", kept, 1);
  } else {
    unsetenv("LD_PRELOAD");
  }
}

}  // namespace guv
