#include "table.hpp"

// Declared as plain names: what a wrapper's type is, GUV_INTERPOSE has checked.
extern "C" {
#define GUV_SYMBOL(name, ...) __attribute__((visibility("hidden"))) void guv_wrap_##name();
#define GUV_ENTRY GUV_SYMBOL
#define GUV_INNER GUV_SYMBOL
#define GUV_ALIAS GUV_SYMBOL
#include "symbols.def"
}

namespace guv {

/// Each name has one row: a second one does not compile.
namespace one_row {
enum : int {
#define GUV_SYMBOL(name, ...) name,
#define GUV_ENTRY GUV_SYMBOL
#define GUV_INNER GUV_SYMBOL
#define GUV_ALIAS GUV_SYMBOL
#define GUV_SAFE GUV_SYMBOL
#define GUV_GAP GUV_SYMBOL
#include "symbols.def"
};
}  // namespace one_row

namespace {

const Symbol table[] = {
#define GUV_SYMBOL(name, family, how, waits_on) \
  {#name, Symbol::Kind::symbol, #family, how " → " waits_on, reinterpret_cast<void*>(&guv_wrap_##name)},
#define GUV_ENTRY(name, family, how, waits_on) \
  {#name, Symbol::Kind::entry, #family, how " → " waits_on, reinterpret_cast<void*>(&guv_wrap_##name)},
#define GUV_INNER(name, family, how, waits_on) \
  {#name, Symbol::Kind::inner, #family, how " → " waits_on, reinterpret_cast<void*>(&guv_wrap_##name)},
#define GUV_ALIAS(other, name) {#other, Symbol::Kind::alias, "", #name, reinterpret_cast<void*>(&guv_wrap_##other)},
#define GUV_SAFE(name, family, reason) {#name, Symbol::Kind::safe, #family, reason, nullptr},
#define GUV_GAP(name, family, reason) {#name, Symbol::Kind::gap, #family, reason, nullptr},
#include "symbols.def"
};

}  // namespace

std::span<const Symbol> symbols() { return table; }

}  // namespace guv
