#pragma once

#include <string>
#include <string_view>

#include "image.hpp"

namespace guv::check {

/// What guv knows of a name of libc, by its table symbols.def.
enum class Standing {
  green,    // guv's own takes its place; what would block parks
  safe,     // in the table as needing nothing
  plain,    // not in the table: it computes; the survey that the table was made from covers glibc up to 2.43
  brief,    // a gap that holds up the hub while a disk or another device answers
  waiting,  // a gap that can hold up the hub for as long as somebody else likes
  unknown,  // newer than the survey
};

struct Known {
  Standing standing;
  /// How it is tried, why it is safe, or what can happen.
  std::string note;
};

/// Judges a name that is imported from glibc.
Known known_name(const Import& import);

/// Whether the name is one that guv takes the place of.
bool is_handled(std::string_view name);

/// Whether the import is from glibc, as far as its version tells.
bool is_from_glibc(const Import& import);

/// Whether the library, named without its path, is the part of glibc where system calls are at home.
bool is_libc_itself(std::string_view name);

}  // namespace guv::check
