#pragma once

#include <span>

#include "base/gates.hpp"

namespace guv {

/// The handled names, as gates.S counts them.
namespace row {
enum : int {
#define GUV_SYMBOL(name, ...) name,
#define GUV_ENTRY(name, ...) name,
#define GUV_INNER(name, ...) name,
#define GUV_ALIAS(alias, ...) alias,
#include "symbols.def"
  count
};
constexpr bool is_entry[] = {
#define GUV_SYMBOL(name, ...) false,
#define GUV_ENTRY(name, ...) true,
#define GUV_INNER(name, ...) false,
#define GUV_ALIAS(alias, ...) false,
#include "symbols.def"
};
}  // namespace row

using Code = void (*)();  // a function of any type

/// One libc name that guv handles. The table is made from symbols.def.
struct Symbol {
  enum class Kind : unsigned char {
    symbol,  // exported by guv
    entry,   // exported, and libc's own entry is patched to lead here
    inner,   // patched only: libc calls it inside and programs do not
    alias,   // another name of one of these
  };
  const char* name;
  Kind kind;
  Family family;  // whose gate it has
  void* wrapper;
  const Code* original;  // what has the effect of libc's function (GUV_ORIGINAL), if anything
  void** natively;       // where the gate leads when it is closed
                         // (both null for inner ones)
};

std::span<const Symbol> symbols();

}  // namespace guv
