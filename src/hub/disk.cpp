#include "hub/disk.hpp"

#include <sys/resource.h>

#include <algorithm>

#include "base/config.hpp"
#include "base/sys.hpp"
#include "runtime.hpp"

namespace guv {

Disk::Disk() : distrusted_(config().files == Files::on_helpers || process_has_lease_), calls_elsewhere_(distrusted_) {}

void Disk::lease_taken() {
  process_has_lease_ = true;
  if (!runtime_started()) return;
  Disk& disk = runtime().disk();
  disk.distrusted_ = true;
  disk.calls_elsewhere_ = std::max(disk.calls_elsewhere_, 1);
}

bool Disk::nobody_waits() { return config().files == Files::on_hub || runtime().hub().live() == 1; }

void Disk::was_late() {
  calls_elsewhere_ = std::max(calls_elsewhere_, a_few);
  mounts_.forget();  // perhaps the call was the first to go by a new one
}

void Disk::was_elsewhere(bool waited) {
  if (waited) {
    calls_elsewhere_ = many;
  } else if (calls_elsewhere_ > 0 && !distrusted_) {
    --calls_elsewhere_;
  }
}

long Errand::waits() {
  rusage usage;
  sys::call(SYS_getrusage, RUSAGE_THREAD, &usage);
  return usage.ru_nvcsw;
}

}  // namespace guv
