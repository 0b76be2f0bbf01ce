#pragma once

#include <link.h>

#include <cstring>

namespace guv {

/// Whether the notes of an ELF segment (PT_NOTE) are those of a program or library in Go: its linker puts the number of the
/// build there.
inline bool is_go_note(const char* notes, size_t size) {
  constexpr auto padded = [](size_t length) { return (length + 3) & ~size_t{3}; };
  while (size >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) note;
    memcpy(&note, notes, sizeof note);
    const size_t whole = sizeof note + padded(note.n_namesz) + padded(note.n_descsz);
    if (whole > size) return false;
    if (note.n_namesz >= sizeof "Go" && memcmp(notes + sizeof note, "Go", sizeof "Go") == 0) return true;
    notes += whole;
    size -= whole;
  }
  return false;
}

}  // namespace guv
