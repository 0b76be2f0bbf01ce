#include "table.hpp"

// Declared as plain names: what a wrapper's type is, GUV_INTERPOSE has checked.
extern "C" {
#define GUV_INNER(name, ...) __attribute__((visibility("hidden"))) void guv_wrap_##name();
#define GUV_SYMBOL(name, ...)                                   \
  __attribute__((visibility("hidden"))) void guv_wrap_##name(); \
  extern __attribute__((visibility("hidden"))) const guv::Code guv_original_##name;
#define GUV_ENTRY GUV_SYMBOL
#include "symbols.def"
}

/// Where the closed gates lead: libc's functions, found when they are first needed.
extern "C" __attribute__((visibility("hidden"))) void* guv_natively[guv::row::count];
void* guv_natively[guv::row::count];

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

namespace family_of {
#define GUV_SYMBOL(name, family, ...) constexpr Family name = Family::family;
#define GUV_ENTRY GUV_SYMBOL
#define GUV_INNER GUV_SYMBOL
#define GUV_ALIAS(alias, name) constexpr Family alias = name;
#include "symbols.def"
}  // namespace family_of

#define GUV_WRAPPER(name) reinterpret_cast<void*>(&guv_wrap_##name)
#define GUV_EXPORTED(name, kind, of) \
  {#name, Symbol::Kind::kind, family_of::name, GUV_WRAPPER(of), &guv_original_##of, &guv_natively[row::of]},

const Symbol table[] = {
#define GUV_SYMBOL(name, ...) GUV_EXPORTED(name, symbol, name)
#define GUV_ENTRY(name, ...) GUV_EXPORTED(name, entry, name)
#define GUV_ALIAS(other, name) GUV_EXPORTED(other, alias, name)
#define GUV_INNER(name, ...) {#name, Symbol::Kind::inner, family_of::name, GUV_WRAPPER(name), nullptr, nullptr},
#include "symbols.def"
};

}  // namespace

std::span<const Symbol> symbols() { return table; }

}  // namespace guv
