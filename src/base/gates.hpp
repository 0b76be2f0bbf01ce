#pragma once

#include <cstdint>

namespace guv {

/// The selections of the Python guv's monkey_patch, and the ones that a whole process needs beside them.
enum class Family : uint32_t {
#define GUV_FAMILY(name) name,
#include "base/families.def"
  count,
  always = count,  // of names that have no gate
};

constexpr uint32_t bit(Family family) { return uint32_t{1} << static_cast<uint32_t>(family); }
constexpr uint32_t all_families = bit(Family::count) - 1;

}  // namespace guv

/// One byte a family: not 0, and its calls lead to guv. Read by the gates (libguv_preload/gates_x86_64.S). All are open in the
/// image, for calls that come before guv's constructor; that closes them, open_families opens them, and they never close again.
extern "C" __attribute__((visibility("hidden"))) uint8_t guv_gates[];

/// While not 0, all gates are open for the calling thread.
extern "C"
    __attribute__((visibility("hidden"), tls_model("initial-exec"))) constinit thread_local uint32_t guv_patched_depth;

namespace guv {

inline bool is_open(Family family) { return guv_gates[static_cast<uint32_t>(family)]; }

}  // namespace guv
