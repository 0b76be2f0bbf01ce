#include "base/config.hpp"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.hpp"

namespace guv {

namespace {

Config the_config;

constexpr const char* family_names[] = {"time", "io",      "socket", "select", "thread",
                                        "dns",  "process", "file",   "signal", "sync"};
static_assert(sizeof family_names / sizeof *family_names == static_cast<size_t>(Family::count));

uint32_t family_bit(const char* name, size_t length) {
  for (uint32_t i = 0; i < static_cast<uint32_t>(Family::count); ++i) {
    if (strlen(family_names[i]) == length && memcmp(family_names[i], name, length) == 0) return 1u << i;
  }
  return 0;
}

// A list such as "socket,time" chooses; "-dns" or "all,-dns" takes away from all.
uint32_t parse_families(const char* list) {
  const uint32_t all = (1u << static_cast<uint32_t>(Family::count)) - 1;
  uint32_t chosen = *list == '-' || *list == '\0' ? all : 0;
  while (*list) {
    const size_t length = strcspn(list, ",");
    const bool minus = *list == '-';
    const char* name = list + minus;
    const size_t name_length = length - minus;
    const uint32_t bits = name_length == 3 && memcmp(name, "all", 3) == 0    ? all
                          : name_length == 4 && memcmp(name, "none", 4) == 0 ? 0
                                                                             : family_bit(name, name_length);
    if (bits == 0 && !(name_length == 4 && memcmp(name, "none", 4) == 0)) {
      say("GUV_FAMILIES names no family of guv's: '%.*s' (see libguv(7))", int(name_length), name);
    }
    chosen = minus ? chosen & ~bits : chosen | bits;
    list += length;
    if (*list == ',') ++list;
  }
  return chosen;
}

size_t parse_size(const char* text) {
  char* end;
  const unsigned long long value = strtoull(text, &end, 0);  // too large a number gives the largest
  const int shift = toupper(*end) == 'K' ? 10 : toupper(*end) == 'M' ? 20 : toupper(*end) == 'G' ? 30 : 0;
  constexpr unsigned long long most = 1ull << 46;  // half of the address space
  if (end == text || (shift ? end[1] : end[0]) || strchr(text, '-') || value > most >> shift) {
    say("GUV_STACK_SIZE is not a size: '%s'", text);
    return 0;
  }
  return value << shift;
}

bool says_no(const char* text) {
  return text && (!strcmp(text, "0") || !strcmp(text, "no") || !strcmp(text, "false") || !strcmp(text, "off"));
}

}  // namespace

const Config& config() { return the_config; }

void read_config() {
  Config& c = the_config;
  if (const char* families = getenv("GUV_FAMILIES")) c.families = parse_families(families);
  if (const char* size = getenv("GUV_STACK_SIZE")) c.stack_size = parse_size(size);
  c.patch_libc = !says_no(getenv("GUV_PATCH_LIBC"));
  c.preempt = !says_no(getenv("GUV_PREEMPT"));
  c.green_dns = getenv("GUV_NO_GREENDNS") == nullptr;
  c.verbose = getenv("GUV_VERBOSE") && !says_no(getenv("GUV_VERBOSE"));
  c.keep_in_children = !says_no(getenv("GUV_CHILDREN"));
  if (const char* list = getenv("GUV_NATIVE_THREADS")) snprintf(c.native_threads, sizeof c.native_threads, "%s", list);
  if (const char* report = getenv("GUV_REPORT")) snprintf(c.report, sizeof c.report, "%s", report);
}

}  // namespace guv
