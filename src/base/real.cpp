#include "base/real.hpp"

#include <dlfcn.h>

#include "base/log.hpp"

namespace guv {

Real real_functions;
bool real_resolved = false;

void resolve_real() {
#define GUV_RESOLVE(name)                                                                         \
  real_functions.name = reinterpret_cast<decltype(real_functions.name)>(dlsym(RTLD_NEXT, #name)); \
  if (!real_functions.name) say("this libc has no " #name);
  GUV_REAL_FUNCTIONS(GUV_RESOLVE)
#undef GUV_RESOLVE
  real_resolved = true;
}

void* next_symbol_address(const char* name) { return dlsym(RTLD_NEXT, name); }

}  // namespace guv
