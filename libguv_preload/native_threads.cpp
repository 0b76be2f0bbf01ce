// Whose threads stay kernel threads: those of the libraries that GUV_NATIVE_THREADS names, and of what waits by system calls
// of its own, past libc, and would hold up all green threads: Go, and GNU's OpenMP, which is to use all processors besides.
#include "native_threads.hpp"

#include <errno.h>
#include <link.h>
#include <string.h>
#include <unwind.h>

#include <atomic>

#include "base/config.hpp"
#include "base/go_note.hpp"

namespace guv {

namespace {

constexpr const char* open_mp = "libgomp";
// They have a pthread_create of their own, which calls ours.
constexpr const char* sanitizers = "libasan,libhwasan,liblsan,libtsan";

/// The program or a library, as far as it matters here.
struct Object {
  const char* name = "";
  bool in_go = false;
};

bool is_in_go(const dl_phdr_info& info) {
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info.dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    if (is_go_note(reinterpret_cast<const char*>(info.dlpi_addr + segment.p_vaddr), segment.p_memsz)) return true;
  }
  return false;
}

bool holds(const dl_phdr_info& info, uintptr_t address) {
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info.dlpi_phdr[i];
    if (segment.p_type == PT_LOAD && address - (info.dlpi_addr + segment.p_vaddr) < segment.p_memsz) return true;
  }
  return false;
}

/// What the code at `address` belongs to; the program comes first of all.
Object object_at(const void* address) {
  struct Search {
    uintptr_t address;
    Object found;
  } search{reinterpret_cast<uintptr_t>(address), {}};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* argument) {
        auto& search = *static_cast<Search*>(argument);
        if (search.address && !holds(*info, search.address)) return 0;
        const char* slash = strrchr(info->dlpi_name, '/');
        search.found.name = slash ? slash + 1 : *info->dlpi_name ? info->dlpi_name : program_invocation_short_name;
        search.found.in_go = is_in_go(*info);
        return 1;
      },
      &search);
  return search.found;
}

/// Where the function to which `address` belongs, one of those that are being called, will return to; null if that cannot
/// be told.
const void* caller_of(const void* address) {
  struct Search {
    uintptr_t address, caller;
    bool passed;
  } search{reinterpret_cast<uintptr_t>(address), 0, false};
  _Unwind_Backtrace(
      [](_Unwind_Context* frame, void* argument) {
        auto& search = *static_cast<Search*>(argument);
        const uintptr_t here = _Unwind_GetIP(frame);
        if (search.passed) {
          search.caller = here;
          return _URC_END_OF_STACK;
        }
        search.passed = here == search.address;
        return _URC_NO_REASON;
      },
      &search);
  return reinterpret_cast<const void*>(search.caller);
}

/// Is the object one of the list "libfoo,libbar.so"? "libfoo" and "libfoo.so" name every version of it.
bool is_in(const char* list, const char* name) {
  while (*list) {
    const size_t length = strcspn(list, ",");
    if (length && strncmp(name, list, length) == 0 && (name[length] == '\0' || name[length] == '.')) return true;
    list += length;
    if (*list == ',') ++list;
  }
  return false;
}

}  // namespace

bool stays_native(const void* caller) {
  // Few places create threads, each of them many.
  static std::atomic<const void*> green_caller{nullptr};
  if (caller == green_caller.load(std::memory_order_relaxed)) [[likely]]
    return false;
  // In a program in Go the first thread waits past libc, too, and can be no hub.
  static const bool program_in_go = object_at(nullptr).in_go;
  Object object = object_at(caller);
  if (is_in(sanitizers, object.name)) {
    caller = caller_of(caller);
    object = object_at(caller);
  }
  if (program_in_go || object.in_go || is_in(open_mp, object.name) || is_in(config().native_threads, object.name)) return true;
  green_caller.store(caller, std::memory_order_relaxed);
  return false;
}

}  // namespace guv
