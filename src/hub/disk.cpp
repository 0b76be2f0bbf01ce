#include "hub/disk.hpp"

#include <sys/resource.h>

#include <algorithm>

#include "base/config.hpp"
#include "base/sys.hpp"
#include "runtime.hpp"

namespace guv {

Disk::Disk() : calls_elsewhere_(config().files == Files::on_helpers) {}

bool Disk::nobody_waits() { return config().files == Files::on_hub || runtime().hub().live() == 1; }

void Disk::was_late() {
  calls_elsewhere_ = std::max(calls_elsewhere_, a_few);
  mounts_.forget();  // perhaps the call was the first to go by a new one
}

void Disk::was_elsewhere(bool waited) {
  if (waited) {
    calls_elsewhere_ = many;
  } else if (calls_elsewhere_ > 0 && config().files != Files::on_helpers) {
    --calls_elsewhere_;
  }
}

long Errand::waits() {
  rusage usage;
  sys::call(SYS_getrusage, RUSAGE_THREAD, &usage);
  return usage.ru_nvcsw;
}

}  // namespace guv
