#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <span>

#include "base/sys.hpp"
#include "hub/hub.hpp"
#include "wait/attempt.hpp"

struct open_how;

/// What the families of descriptor calls share.
namespace guv {

using fd_table::Kind;

/// What `fd` is; asks the kernel once in its life.
Kind kind_of(int fd);

/// A call's new descriptor, as the call's result: what was known of the number is void.
int newborn(long fd, Kind kind = Kind::unknown);

/// `fd` is about to be closed or replaced: who waits for it learns.
void retire(int fd);
void retire(unsigned first, unsigned last);

/// pread(2), parked while a file's disk is slow.
long read_at(int fd, void* buffer, size_t size, off_t offset);

/// openat2(2), which libc has no name for.
int open_by_how(int directory, const char* path, const open_how* how, size_t size);

/// What is left of a vector when `done` bytes of it are, in at most as many parts as fit in here.
class Rest {
 public:
  Rest(std::span<const iovec> parts, size_t done) {
    if (done == 0) {
      rest_ = parts;
      return;
    }
    while (!parts.empty() && done >= parts.front().iov_len) {
      done -= parts.front().iov_len;
      parts = parts.subspan(1);
    }
    const size_t count = std::min(parts.size(), most);
    std::copy_n(parts.begin(), count, parts_);
    if (count) parts_[0] = {static_cast<char*>(parts[0].iov_base) + done, parts[0].iov_len - done};
    rest_ = {parts_, count};
  }
  Rest(const Rest&) = delete;
  Rest& operator=(const Rest&) = delete;

  const iovec* data() const { return rest_.data(); }
  size_t count() const { return rest_.size(); }

 private:
  static constexpr size_t most = 16;
  iovec parts_[most];
  std::span<const iovec> rest_;
};

inline size_t total(std::span<const iovec> parts) {
  size_t sum = 0;
  for (const iovec& part : parts) sum += part.iov_len;
  return sum;
}

}  // namespace guv
