#pragma once

#include <span>

namespace guv {

/// One libc name that guv knows. The table is made from symbols.def.
struct Symbol {
  enum class Kind : unsigned char {
    symbol,  // exported by guv
    entry,   // exported, and libc's own entry is patched to lead here
    inner,   // patched only: libc calls it inside and programs do not
    alias,   // another name of one of these
    safe,    // does not block by itself, or blocks through names that are handled
    gap,     // can block the hub; known and not handled
  };
  const char* name;
  Kind kind;
  const char* family;
  const char* note;  // how it is tried, what an alias stands for, why it is safe or a gap
  void* wrapper;     // null for safe and gap rows
};

std::span<const Symbol> symbols();

}  // namespace guv
