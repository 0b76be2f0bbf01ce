#include "guv/guv.h"

#include "runtime.hpp"

extern "C" {

const char* guv_version(void) { return GUV_VERSION; }

int guv_active(void) { return guv::runtime_started(); }

uint64_t guv_thread_number(void) {
  const guv::GreenThread* me = guv::self();
  return me ? me->id : 0;
}

uint64_t guv_thread_count(void) { return guv::runtime_started() ? guv::runtime().hub().live() : 0; }

}  // extern "C"
