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

/// What libc's dynamic section says of `tag`, or null. The loader has made addresses of its offsets.
template <class T>
const T* find_dynamic(const link_map& libc, ElfW(Sxword) tag) {
  for (const ElfW(Dyn)* entry = libc.l_ld; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == tag) return reinterpret_cast<const T*>(entry->d_un.d_ptr);
  }
  return nullptr;
}

/// libc's symbols by name, private and outdated ones among them. (dladdr1, which tells a symbol's size, goes through all of
/// them each time.)
class Names {
 public:
  explicit Names(const link_map& libc)
      : symbols_(find_dynamic<ElfW(Sym)>(libc, DT_SYMTAB)),
        strings_(find_dynamic<char>(libc, DT_STRTAB)),
        versions_(find_dynamic<ElfW(Half)>(libc, DT_VERSYM)),
        table_(find_dynamic<Table>(libc, DT_GNU_HASH)) {}

  explicit operator bool() const { return symbols_ && strings_ && versions_ && table_; }

  /// The one that programs are linked with, if there are several versions; null if there is none.
  const ElfW(Sym) * find(const char* name) const {
    const auto* blooms = reinterpret_cast<const uint64_t*>(table_ + 1);
    const auto* buckets = reinterpret_cast<const uint32_t*>(blooms + table_->blooms);
    const auto* chains = buckets + table_->buckets;
    uint32_t hash = 5381;
    for (const char* c = name; *c; ++c) hash = hash * 33 + static_cast<unsigned char>(*c);
    uint32_t index = buckets[hash % table_->buckets];
    if (index < table_->first) return nullptr;
    constexpr ElfW(Half) outdated = 0x8000;
    const ElfW(Sym)* found = nullptr;
    for (uint32_t chain = 0; !(chain & 1); ++index) {
      chain = chains[index - table_->first];
      if ((chain | 1) != (hash | 1) || strcmp(strings_ + symbols_[index].st_name, name) != 0) continue;
      found = &symbols_[index];
      if (!(versions_[index] & outdated)) break;
    }
    return found;
  }

 private:
  struct Table {
    uint32_t buckets, first, blooms, shift;
  };

  const ElfW(Sym) * symbols_;
  const char* strings_;
  const ElfW(Half) * versions_;
  const Table* table_;
};

/// Adds the patch that makes libc's entry lead to the wrapper, unless libc has none, or another name of it has been seen.
void prepare(const link_map& libc, const Names& names, const Symbol& symbol, Stubs& stubs) {
  const ElfW(Sym)* found = names.find(symbol.name);
  if (!found || ELF64_ST_TYPE(found->st_info) != STT_FUNC || found->st_size < jump_size || count == most) return;
  auto* entry = reinterpret_cast<unsigned char*>(libc.l_addr + found->st_value);
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
  const auto* libc = static_cast<const link_map*>(dlopen("libc.so.6", RTLD_NOLOAD | RTLD_NOW));
  if (!libc) return false;
  const Names names(*libc);
  Stubs stubs;
  if (!names || !stubs.reserve(reinterpret_cast<uintptr_t>(libc->l_ld), most)) return false;
  for (const Symbol& symbol : symbols()) {
    if (is_patchable(symbol)) prepare(*libc, names, symbol, stubs);
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
        "all green threads (let the process change its own code: SELinux calls it execmod)",
        strerror(errno));
    impossible = true;
    return;
  }
  patched_families |= wanted;
}

int patched_entries() { return static_cast<int>(std::ranges::distance(patches_of(patched_families))); }

bool entries_are_patched(uint32_t families) { return (patched_families & families) == families; }

}  // namespace guv
