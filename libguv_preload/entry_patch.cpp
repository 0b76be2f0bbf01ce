#include "entry_patch.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>

#include <algorithm>
#include <ranges>
#include <span>

#include "base/gates.hpp"
#include "base/log.hpp"
#include "base/sys.hpp"
#include "table.hpp"

namespace guv {

namespace {

constexpr size_t jump_size = 5, stub_size = 16, page = 4096;

// Stubs lie within reach of a 32-bit jump from libc: jmp *[rip]; .quad wrapper.
struct Stubs {
  unsigned char* memory = nullptr;
  size_t used = 0, size = 0;

  bool reserve(uintptr_t near, size_t count) {
    size = (count * stub_size + page - 1) & ~(page - 1);
    constexpr uintptr_t step = uintptr_t{8} << 20;
    for (uintptr_t hint = (near & ~(page - 1)) - (uintptr_t{64} << 20); near - hint < uintptr_t{1} << 31;
         hint -= step) {
      void* place = mmap(reinterpret_cast<void*>(hint), size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
      if (place == MAP_FAILED) continue;
      if (reinterpret_cast<uintptr_t>(place) != hint) {
        munmap(place, size);
        continue;
      }
      memory = static_cast<unsigned char*>(place);
      return true;
    }
    return false;
  }
  unsigned char* add(void* target) {
    unsigned char* stub = memory + used;
    used += stub_size;
    const unsigned char jump[6] = {0xff, 0x25, 0, 0, 0, 0};
    memcpy(stub, jump, sizeof jump);
    memcpy(stub + sizeof jump, &target, sizeof target);
    return stub;
  }
  bool seal() { return mprotect(memory, size, PROT_READ | PROT_EXEC) == 0; }
};

struct Patch {
  Family family;
  unsigned char* entry;
  unsigned char code[jump_size];
};

// Of all families, made at once: guv's stacks may soon fill all the room within reach of libc.
constexpr size_t most = 512;
Patch prepared[most];
size_t count = 0;
uint32_t patched_families = 0;
bool impossible = false;

bool is_patchable(const Symbol& symbol) {
  return symbol.kind == Symbol::Kind::entry || symbol.kind == Symbol::Kind::inner;
}

uint32_t open_and_not_patched() {
  uint32_t families = 0;
  for (uint32_t i = 0; i <= static_cast<uint32_t>(Family::always); ++i) {
    if (is_open(Family(i))) families |= bit(Family(i));
  }
  return families & ~patched_families;
}

auto patches_of(uint32_t families) {
  return std::span(prepared, count) |
         std::views::filter([=](const Patch& patch) { return (families & bit(patch.family)) != 0; });
}

/// The address of `name` in libc and the size of its code, or null. Private and outdated names need their version.
unsigned char* find_in_libc(void* libc, const char* name, size_t* size) {
  void* address = dlsym(libc, name);
  for (const char* version : {"GLIBC_PRIVATE", "GLIBC_2.2.5"}) {
    if (!address) address = dlvsym(libc, name, version);
  }
  Dl_info info;
  const ElfW(Sym)* symbol = nullptr;
  if (!address ||
      !dladdr1(address, &info, reinterpret_cast<void**>(const_cast<ElfW(Sym)**>(&symbol)), RTLD_DL_SYMENT)) {
    return nullptr;
  }
  if (!symbol || ELF64_ST_TYPE(symbol->st_info) != STT_FUNC) return nullptr;
  *size = symbol->st_size;
  return static_cast<unsigned char*>(address);
}

/// Adds the patch that makes libc's entry lead to the wrapper, unless libc has none, or another name of it has been seen.
void prepare(void* libc, const Symbol& symbol, Stubs& stubs) {
  size_t size = 0;
  unsigned char* entry = find_in_libc(libc, symbol.name, &size);
  if (!entry || size < jump_size || count == most) return;
  if (std::ranges::any_of(std::span(prepared, count), [=](const Patch& patch) { return patch.entry == entry; })) return;
  const unsigned char* stub = stubs.add(symbol.wrapper);
  const int64_t distance = stub - (entry + jump_size);
  if (distance != static_cast<int32_t>(distance)) return;
  Patch& patch = prepared[count++];
  patch.family = symbol.family;
  patch.entry = entry;
  patch.code[0] = 0xe9;
  const auto relative = static_cast<int32_t>(distance);
  memcpy(patch.code + 1, &relative, sizeof relative);
}

bool prepare_all() {
  void* libc = dlopen("libc.so.6", RTLD_NOLOAD | RTLD_NOW);
  if (!libc) return false;
  Stubs stubs;
  const auto near = reinterpret_cast<uintptr_t>(dlsym(libc, "gnu_get_libc_version"));
  if (!near || !stubs.reserve(near, most)) return false;
  for (const Symbol& symbol : symbols()) {
    if (is_patchable(symbol)) prepare(libc, symbol, stubs);
  }
  return stubs.seal();
}

// Writing by way of /proc/self/mem leaves the pages' protection alone, so nobody ever sees libc not executable.
bool write_by_proc(uint32_t families) {
  const long fd = sys::call(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR | O_CLOEXEC);
  if (sys::failed(fd)) return false;
  bool written = true;
  for (const Patch& patch : patches_of(families)) {
    const long result = sys::call(SYS_pwrite64, fd, patch.code, jump_size, reinterpret_cast<uintptr_t>(patch.entry));
    written = result == static_cast<long>(jump_size);
    if (!written) break;
  }
  sys::call(SYS_close, fd);
  return written;
}

bool write_by_mprotect(uint32_t families) {
  for (const Patch& patch : patches_of(families)) {
    const auto address = reinterpret_cast<uintptr_t>(patch.entry);
    auto* first = reinterpret_cast<void*>(address & ~(page - 1));
    const size_t length = ((address + jump_size - 1) | (page - 1)) + 1 - (address & ~(page - 1));
    if (mprotect(first, length, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) return false;
    memcpy(patch.entry, patch.code, jump_size);
    mprotect(first, length, PROT_READ | PROT_EXEC);
  }
  return true;
}

}  // namespace

void patch_libc_entries() {
#if !defined(__x86_64__)
  return;
#endif
  const uint32_t wanted = open_and_not_patched();
  if (!wanted || impossible) return;
  if ((count == 0 && !prepare_all()) || (!write_by_proc(wanted) && !write_by_mprotect(wanted))) {
    say("libc's entries cannot be patched here (%s): calls made inside libc, such as fgets on a socket, will hold up "
        "all green threads",
        strerror(errno));
    impossible = true;
    return;
  }
  patched_families |= wanted;
}

int patched_entries() { return static_cast<int>(std::ranges::distance(patches_of(patched_families))); }

bool entries_are_patched(uint32_t families) { return (patched_families & families) == families; }

}  // namespace guv
