#include "base/config.hpp"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <atomic>

#include "base/log.hpp"

namespace guv {

namespace {

Config the_config;
std::atomic<size_t> libcs_stack_size{size_t{8} << 20};

constexpr std::string_view family_names[] = {
#define GUV_FAMILY(name) #name,
#include "base/families.def"
};

uint32_t choose_families(const char* list) {
  const FamilyList families = parse_families(list);
  if (!families.unknown.empty()) {
    say("GUV_FAMILIES names no family of guv's: '%.*s' (see libguv(7))", static_cast<int>(families.unknown.size()),
        families.unknown.data());
  }
  const uint32_t needed = with_dependencies(families.chosen);
  if (needed != families.chosen && strstr(list, "-sync")) {
    say("GUV_FAMILIES=%s: sync stays on, for each of the other families needs it", list);
  }
  return needed;
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

Files choose_files(const char* text) {
  if (!strcmp(text, "hub")) return Files::on_hub;
  if (!strcmp(text, "helpers")) return Files::on_helpers;
  if (strcmp(text, "auto")) say("GUV_FILES is none of auto, hub and helpers: '%s'", text);
  return Files::automatic;
}

bool says_no(const char* text) {
  return text && (!strcmp(text, "0") || !strcmp(text, "no") || !strcmp(text, "false") || !strcmp(text, "off"));
}

}  // namespace

uint32_t family_named(std::string_view name) {
  if (name == "all") return all_families;
  for (uint32_t i = 0; i < static_cast<uint32_t>(Family::count); ++i) {
    if (family_names[i] == name) return bit(Family(i));
  }
  return 0;
}

FamilyList parse_families(std::string_view list) {
  FamilyList result;
  if (list.empty() || list.front() == '-') result.chosen = all_families;
  while (!list.empty()) {
    std::string_view word = list.substr(0, list.find(','));
    list.remove_prefix(std::min(word.size() + 1, list.size()));
    const bool take_away = word.starts_with('-');
    if (take_away) word.remove_prefix(1);
    const uint32_t named = family_named(word);
    if (!named && word != "none" && result.unknown.empty()) result.unknown = word;
    result.chosen = take_away ? result.chosen & ~named : result.chosen | named;
  }
  return result;
}

const Config& config() { return the_config; }

size_t default_stack_size() {
  return config().stack_size ? config().stack_size : libcs_stack_size.load(std::memory_order_relaxed);
}

void ask_default_stack_size() {
  pthread_attr_t attributes;
  if (pthread_getattr_default_np(&attributes) != 0) return;
  size_t size = 0;
  pthread_attr_getstacksize(&attributes, &size);
  pthread_attr_destroy(&attributes);
  libcs_stack_size.store(size, std::memory_order_relaxed);
}

void read_config(uint32_t families) {
  Config& c = the_config;
  c.families = families;
  ask_default_stack_size();
  if (const char* list = getenv("GUV_FAMILIES")) c.families = choose_families(list);
  if (const char* size = getenv("GUV_STACK_SIZE")) c.stack_size = parse_size(size);
  c.patch_libc = !says_no(getenv("GUV_PATCH_LIBC"));
  c.preempt = !says_no(getenv("GUV_PREEMPT"));
  if (const char* where = getenv("GUV_FILES")) c.files = choose_files(where);
  c.green_dns = getenv("GUV_NO_GREENDNS") == nullptr;
  if (!c.green_dns) c.families &= ~bit(Family::dns);
  c.verbose = getenv("GUV_VERBOSE") && !says_no(getenv("GUV_VERBOSE"));
  c.keep_in_children = !says_no(getenv("GUV_CHILDREN"));
  if (const char* list = getenv("GUV_NATIVE_THREADS")) snprintf(c.native_threads, sizeof c.native_threads, "%s", list);
  if (const char* report = getenv("GUV_REPORT")) snprintf(c.report, sizeof c.report, "%s", report);
}

}  // namespace guv
