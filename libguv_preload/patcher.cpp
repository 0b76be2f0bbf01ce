// The gates of the families: which of the program's calls lead to guv.
#include "patcher.hpp"

#include <dlfcn.h>
#include <errno.h>
#include <guv/patcher.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "base/config.hpp"
#include "base/gates.hpp"
#include "base/real.hpp"
#include "entry_patch.hpp"
#include "rebind.hpp"
#include "runtime.hpp"
#include "table.hpp"

namespace guv {

namespace {

/// What makes threads, or calls of its own, which would lead to guv if their families are open.
bool is_compound(const Symbol& symbol) { return symbol.family == Family::thread || symbol.family == Family::dns; }

const Symbol* exported(std::string_view name) {
  const auto found =
      std::ranges::find_if(symbols(), [=](const Symbol& symbol) { return symbol.original && name == symbol.name; });
  return found != symbols().end() ? &*found : nullptr;
}

bool are_open(uint32_t families) {
  for (uint32_t i = 0; i < static_cast<uint32_t>(Family::count); ++i) {
    if ((families & bit(Family(i))) && !is_open(Family(i))) return false;
  }
  return true;
}

}  // namespace

void keep_open(uint32_t families) {
  for (const Symbol& symbol : symbols()) {
    if (!symbol.natively || symbol.kind == Symbol::Kind::alias || symbol.family == Family::always) continue;
    if (families & bit(symbol.family)) continue;
    void* next = next_symbol_address(symbol.name);
    if (!next) next = symbol.wrapper;  // a libc without it, whose programs do not call it
    *symbol.natively = is_compound(symbol) ? reinterpret_cast<void*>(*symbol.original) : next;
  }
  for (uint32_t i = 0; i < static_cast<uint32_t>(Family::count); ++i) {
    guv_gates[i] = (families & bit(Family(i))) != 0;
  }
}

void open_families(uint32_t families) {
  if (!config().green_dns) families &= ~bit(Family::dns);
  families = with_dependencies(families);
  for (uint32_t i = 0; i < static_cast<uint32_t>(Family::count); ++i) {
    if (families & bit(Family(i))) guv_gates[i] = 1;
  }
  if (runtime_started() && config().patch_libc) patch_libc_entries();
}

}  // namespace guv

struct guv_patch : guv::Rebinding {};

namespace guv {

namespace {

/// Rebinds what `object`, and what it needs if so wished, imports of libc. 0 or an errno.
int lead_to_guv(const link_map& object, bool dependencies, guv_patch** patch) {
  auto rebinding = std::make_unique<guv_patch>();
  for (const link_map* each : dependencies ? with_dependencies(object) : std::vector{&object}) {
    const int error = rebinding->bind(*each, [](const char* name) -> void* {
      const Symbol* symbol = exported(name);
      return symbol ? symbol->wrapper : nullptr;
    });
    if (error) {
      rebinding->undo();
      return error;
    }
  }
  if (patch) *patch = rebinding.release();
  return 0;
}

}  // namespace

}  // namespace guv

using namespace guv;

extern "C" {

int guv_monkey_patch(const char* families) {
  const FamilyList list = parse_families(families ? families : "all");
  if (!list.unknown.empty()) return -EINVAL;
  open_families(list.chosen);
  return 0;
}

int guv_is_monkey_patched(const char* name) {
  if (const uint32_t families = family_named(name)) return are_open(families);
  const Symbol* symbol = exported(name);
  return symbol && is_open(symbol->family);
}

void* guv_original(const char* name) {
  const Symbol* symbol = exported(name);
  return symbol && *symbol->original ? reinterpret_cast<void*>(*symbol->original) : next_symbol_address(name);
}

void guv_enter_patched(void) {
  open_families(bit(Family::sync));
  ++guv_patched_depth;
}

void guv_leave_patched(void) { --guv_patched_depth; }

void* guv_call_patched(void* (*function)(void*), void* argument) {
  const struct Scope {
    Scope() { guv_enter_patched(); }
    ~Scope() { guv_leave_patched(); }
  } scope;
  return function(argument);
}

int guv_import_patched(const char* path, int flags, void** handle, guv_patch** patch) try {
  struct Close {
    void operator()(void* library) const { dlclose(library); }
  };
  std::unique_ptr<void, Close> library(dlopen(path, flags & ~GUV_WITH_DEPENDENCIES));
  if (!library) return access(path, F_OK) == 0 ? -ENOEXEC : -ENOENT;
  // What is green in one place must be able to wait for what is not elsewhere.
  open_families(bit(Family::sync));
  const int error = lead_to_guv(*object_of(library.get()), flags & GUV_WITH_DEPENDENCIES, patch);
  if (error) return -error;
  *handle = library.release();
  return 0;
} catch (const std::bad_alloc&) {
  return -ENOMEM;
}

int guv_inject(void* handle, const guv_import* imports, size_t count, guv_patch** patch) try {
  const link_map* object = object_of(handle);
  if (!object) return -EINVAL;
  const std::span wanted(imports, count);
  for (const guv_import& import : wanted) {
    if (!Rebinding::imports(*object, import.name)) return -ENOENT;
  }
  auto rebinding = std::make_unique<guv_patch>();
  const int error = rebinding->bind(*object, [=](std::string_view name) -> void* {
    const auto found = std::ranges::find(wanted, name, &guv_import::name);
    return found != wanted.end() ? found->function : nullptr;
  });
  if (error) return -error;
  if (patch) *patch = rebinding.release();
  return 0;
} catch (const std::bad_alloc&) {
  return -ENOMEM;
}

void guv_undo(guv_patch* patch) {
  if (patch) patch->undo();
  delete patch;
}

}  // extern "C"
