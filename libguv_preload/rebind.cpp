#include "rebind.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <sys/mman.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <utility>

namespace guv {

namespace {

#if defined(__x86_64__)
constexpr uint32_t jump_slot = R_X86_64_JUMP_SLOT, table_slot = R_X86_64_GLOB_DAT, pointer = R_X86_64_64;
#elif defined(__aarch64__)
constexpr uint32_t jump_slot = R_AARCH64_JUMP_SLOT, table_slot = R_AARCH64_GLOB_DAT, pointer = R_AARCH64_ABS64;
#endif

/// The dynamic section of an object, as far as it concerns imports. The loader has made addresses of its offsets.
struct Dynamic {
  const ElfW(Sym) * symbols = nullptr;
  const char* strings = nullptr;
  std::span<const ElfW(Rela)> relocations, calls;

  explicit Dynamic(const link_map& object) {
    const ElfW(Rela)* first = nullptr, *first_call = nullptr;
    size_t size = 0, calls_size = 0;
    for (const ElfW(Dyn)* entry = object.l_ld; entry->d_tag != DT_NULL; ++entry) {
      switch (entry->d_tag) {
        case DT_SYMTAB: symbols = reinterpret_cast<const ElfW(Sym)*>(entry->d_un.d_ptr); break;
        case DT_STRTAB: strings = reinterpret_cast<const char*>(entry->d_un.d_ptr); break;
        case DT_RELA: first = reinterpret_cast<const ElfW(Rela)*>(entry->d_un.d_ptr); break;
        case DT_RELASZ: size = entry->d_un.d_val; break;
        case DT_JMPREL: first_call = reinterpret_cast<const ElfW(Rela)*>(entry->d_un.d_ptr); break;
        case DT_PLTRELSZ: calls_size = entry->d_un.d_val; break;
      }
    }
    relocations = {first, size / sizeof *first};
    calls = {first_call, calls_size / sizeof *first};
  }
};

/// The part of an object that the loader has made read-only when it was done.
struct Relro {
  uintptr_t begin = 0, end = 0;

  explicit Relro(const link_map& object) {
    struct Search {
      const link_map& object;
      Relro& result;
    } search{object, *this};
    dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* argument) {
          auto& [object, result] = *static_cast<Search*>(argument);
          if (info->dlpi_addr != object.l_addr) return 0;
          const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
          for (const auto& header : std::span(info->dlpi_phdr, info->dlpi_phnum)) {
            if (header.p_type != PT_GNU_RELRO) continue;
            result.begin = (object.l_addr + header.p_vaddr) & ~(page - 1);
            result.end = (object.l_addr + header.p_vaddr + header.p_memsz) & ~(page - 1);
          }
          return 1;
        },
        &search);
  }

  bool protect(int protection) const {
    return begin == end || mprotect(reinterpret_cast<void*>(begin), end - begin, protection) == 0;
  }
};

const void* base_of(const void* address) {
  Dl_info info;
  return dladdr(address, &info) ? info.dli_fbase : nullptr;
}

bool is_guvs_ground(const link_map& object) {
  const void* base = base_of(object.l_ld);
  const void* const ours[] = {reinterpret_cast<const void*>(&gnu_get_libc_version), &_r_debug,
                              reinterpret_cast<const void*>(&uv_run), reinterpret_cast<const void*>(&object_of)};
  return std::ranges::any_of(ours, [=](const void* address) { return base_of(address) == base; });
}

/// What the loader put into the object's own data, and the object has not changed since.
bool is_untouched(const char* name, const void* value) {
  return value == dlsym(RTLD_DEFAULT, name) || value == dlsym(RTLD_NEXT, name);
}

}  // namespace

void Rebinding::for_each_slot(const link_map& object, Visit visit, void* argument) {
  const Dynamic dynamic(object);
  const auto look_at = [&](const ElfW(Rela) & relocation) {
    const uint32_t type = ELF64_R_TYPE(relocation.r_info);
    const ElfW(Sym)& symbol = dynamic.symbols[ELF64_R_SYM(relocation.r_info)];
    if ((type != jump_slot && type != table_slot && type != pointer) || symbol.st_shndx != SHN_UNDEF) return;
    const char* name = dynamic.strings + symbol.st_name;
    auto** slot = reinterpret_cast<void**>(object.l_addr + relocation.r_offset);
    if (type == pointer && (relocation.r_addend != 0 || !is_untouched(name, *slot))) return;
    visit(argument, name, slot);
  };
  std::ranges::for_each(dynamic.relocations, look_at);
  std::ranges::for_each(dynamic.calls, look_at);
}

bool Rebinding::imports(const link_map& object, std::string_view name) {
  bool found = false;
  for_each_slot(object, [&](const char* import, void**) { found |= name == import; });
  return found;
}

int Rebinding::write(const link_map& object, std::span<const Change> changes, bool back) {
  if (changes.empty()) return 0;
  const Relro relro(object);
  if (!relro.protect(PROT_READ | PROT_WRITE)) return errno;
  for (const Change& change : changes) {
    void* expected = back ? change.after : change.before;
    __atomic_compare_exchange_n(change.slot, &expected, back ? change.before : change.after, false, __ATOMIC_RELEASE,
                                __ATOMIC_RELAXED);
  }
  relro.protect(PROT_READ);
  return 0;
}

void Rebinding::keep(const link_map& object) {
  kept_.push_back({&object, dlopen(object.l_name, RTLD_NOLOAD | RTLD_LAZY), changes_.size()});
}

void Rebinding::undo() {
  while (!kept_.empty()) {
    const Kept last = kept_.back();
    kept_.pop_back();
    const size_t first = kept_.empty() ? 0 : kept_.back().changes;
    write(*last.object, std::span(changes_).subspan(first, last.changes - first), true);
    if (last.handle) dlclose(last.handle);
  }
  changes_.clear();
}

Rebinding::~Rebinding() {
  for (const Kept& kept : kept_) {
    if (kept.handle) dlclose(kept.handle);
  }
}

const link_map* object_of(void* handle) {
  link_map* object = nullptr;
  return handle && dlinfo(handle, RTLD_DI_LINKMAP, &object) == 0 ? object : nullptr;
}

std::vector<const link_map*> with_dependencies(const link_map& object) {
  std::vector<const link_map*> objects{&object};
  for (size_t i = 0; i < objects.size(); ++i) {
    const char* strings = Dynamic(*objects[i]).strings;
    for (const ElfW(Dyn)* entry = objects[i]->l_ld; entry->d_tag != DT_NULL; ++entry) {
      if (entry->d_tag != DT_NEEDED) continue;
      void* handle = dlopen(strings + entry->d_un.d_val, RTLD_NOLOAD | RTLD_LAZY);
      const link_map* needed = object_of(handle);
      if (needed && !is_guvs_ground(*needed) && std::ranges::find(objects, needed) == objects.end()) {
        objects.push_back(needed);
      }
      if (handle) dlclose(handle);  // who needs it keeps it
    }
  }
  return objects;
}

}  // namespace guv
