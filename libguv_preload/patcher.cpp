// The gates of the families: which of the program's calls lead to guv.
#include "patcher.hpp"

#include <errno.h>
#include <guv/patcher.h>
#include <string.h>

#include <algorithm>

#include "base/config.hpp"
#include "base/gates.hpp"
#include "base/real.hpp"
#include "entry_patch.hpp"
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

}  // extern "C"
