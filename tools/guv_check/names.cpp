#include "names.hpp"

#include <array>
#include <charconv>
#include <unordered_map>

namespace guv::check {
namespace {

constexpr int surveyed = 43;  // glibc 2.43

constexpr bool waits_for_devices_only(std::string_view family) {
  constexpr std::array<std::string_view, 5> families = {"file", "memory", "loader", "admin", "terminal"};
  for (const auto name : families) {
    if (name == family) return true;
  }
  return false;
}

constexpr Standing gap(std::string_view family) {
  return waits_for_devices_only(family) ? Standing::brief : Standing::waiting;
}

struct Row {
  std::string_view name;
  Standing standing;
  const char* note;
};

// clang-format off
constexpr Row rows[] = {
#define GUV_SYMBOL(name, family, how, waits_on, ...) {#name, Standing::green, how " → " waits_on},
#define GUV_ENTRY GUV_SYMBOL
#define GUV_INNER GUV_SYMBOL
#define GUV_ALIAS(other, name) {#other, Standing::green, "as " #name},
#define GUV_SAFE(name, family, reason) {#name, Standing::safe, reason},
#define GUV_GAP(name, family, what) {#name, gap(#family), what},
#include "../../libguv_preload/symbols.def"
};
// clang-format on

const Row* row_of(std::string_view name) {
  static const auto by_name = [] {
    std::unordered_map<std::string_view, const Row*> map;
    for (const Row& row : rows) map.emplace(row.name, &row);
    return map;
  }();
  const auto found = by_name.find(name);
  return found != by_name.end() ? found->second : nullptr;
}

/// 38 for "GLIBC_2.38", 0 for other texts.
int minor_version(std::string_view version) {
  constexpr std::string_view prefix = "GLIBC_2.";
  int minor = 0;
  if (version.starts_with(prefix))
    std::from_chars(version.data() + prefix.size(), version.data() + version.size(), minor);
  return minor;
}

}  // namespace

Known known_name(const Import& import) {
  if (const Row* const row = row_of(import.name)) return {row->standing, row->note};
  if (minor_version(import.version) > surveyed) return {Standing::unknown, "new in " + import.version};
  return {Standing::plain, ""};
}

bool is_handled(std::string_view name) {
  const Row* const row = row_of(name);
  return row != nullptr && row->standing == Standing::green;
}

bool is_from_glibc(const Import& import) {
  // libm computes only.
  return import.version.starts_with("GLIBC_") && !import.library.starts_with("libm.") &&
         !import.library.starts_with("libmvec.");
}

bool is_libc_itself(std::string_view name) {
  return name == "libc.so.6" || name == "libpthread.so.0" || name.starts_with("ld-linux");
}

}  // namespace guv::check
