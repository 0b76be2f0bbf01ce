#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/gates.hpp"

namespace guv {

/// Where calls that may wait for a disk are made (hub/disk.hpp).
enum class Files : uint8_t { automatic, on_hub, on_helpers };

/// What the environment asked for (guv-run sets it; libguv(7) documents it). Read once, before main.
struct Config {
  uint32_t families = all_families;  // GUV_FAMILIES, GUV_NO_GREENDNS
  size_t stack_size = 0;             // GUV_STACK_SIZE, in bytes; 0: RLIMIT_STACK, as natively
  bool patch_libc = true;            // GUV_PATCH_LIBC=0
  bool preempt = true;               // GUV_PREEMPT=0
  Files files = Files::automatic;    // GUV_FILES=auto, hub, helpers
  bool green_dns = true;             // GUV_NO_GREENDNS
  bool verbose = false;              // GUV_VERBOSE
  bool keep_in_children = true;      // GUV_CHILDREN=no
  char native_threads[512] = "";     // GUV_NATIVE_THREADS: comma-separated library names
  char report[512] = "";             // GUV_REPORT: a path, or "-" for standard error
};

const Config& config();

/// Of threads that ask for no size: GUV_STACK_SIZE, else libc's default (RLIMIT_STACK, or pthread_setattr_default_np(3)).
size_t default_stack_size();
/// Asks libc for its default, which is kept: libc copies a whole pthread_attr_t under a lock for it.
void ask_default_stack_size();

/// Reads it. `families` are those without a word of GUV_FAMILIES.
void read_config(uint32_t families = all_families);

/// What a list of families chooses: "socket,time"; "-dns", which takes away from all; "all", "none".
struct FamilyList {
  uint32_t chosen = 0;
  std::string_view unknown;  // the first word that is none, or empty
};
FamilyList parse_families(std::string_view list);

/// The bit of the family `name`, all bits for "all", or 0.
uint32_t family_named(std::string_view name);

/// A green thread that waits natively for what a parked one holds would hold up both for ever.
constexpr uint32_t with_dependencies(uint32_t families) { return families ? families | bit(Family::sync) : 0; }

}  // namespace guv
