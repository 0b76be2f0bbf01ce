#pragma once

#include <cstddef>
#include <cstdint>

namespace guv {

/// The selections of the Python guv's monkey_patch, and the ones that a whole process needs beside them.
enum class Family : uint32_t { time, io, socket, select, thread, dns, process, file, signal, sync, count };

/// What the environment asked for (guv-run sets it; libguv(7) documents it). Read once, before main.
struct Config {
  uint32_t families = ~0u;        // GUV_FAMILIES
  size_t stack_size = 0;          // GUV_STACK_SIZE, in bytes; 0: RLIMIT_STACK, as natively
  bool patch_libc = true;         // GUV_PATCH_LIBC=0
  bool preempt = true;            // GUV_PREEMPT=0
  bool green_dns = true;          // GUV_NO_GREENDNS
  bool verbose = false;           // GUV_VERBOSE
  bool keep_in_children = true;   // GUV_CHILDREN=no
  char native_threads[512] = "";  // GUV_NATIVE_THREADS: comma-separated library names
  char report[512] = "";          // GUV_REPORT: a path, or "-" for standard error

  bool has(Family family) const { return families & (1u << static_cast<uint32_t>(family)); }
};

const Config& config();
void read_config();

}  // namespace guv
