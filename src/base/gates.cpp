#include "base/gates.hpp"

constinit thread_local uint32_t guv_patched_depth = 0;

// In a cache line of their own: every call reads them, and hardly anybody writes.
alignas(64) uint8_t guv_gates[64] = {
#define GUV_FAMILY(name) 1,
#include "base/families.def"
    1,  // Family::always
};
