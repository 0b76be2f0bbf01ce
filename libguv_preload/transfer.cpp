// From descriptor to descriptor inside the kernel: sendfile(2), splice(2), tee(2), copy_file_range(2).
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <new>

#include "descriptor.hpp"
#include "interpose.hpp"
#include "wait/disk.hpp"

namespace guv {

namespace {

constexpr size_t piece = 64 * 1024;
constexpr size_t most_at_once = 0x7ffff000;  // read(2), NOTES

/// To a socket, sendfile knows no MSG_DONTWAIT, so the bytes make a detour by our memory.
long send_file(int socket, int file, off_t start, size_t size) {
  const std::unique_ptr<char[]> buffer(new (std::nothrow) char[std::min(size, piece)]);
  if (!buffer) return -ENOMEM;
  size_t first = 0, held = 0;  // what of the file is in the buffer
  return blocking_all(sendable(socket, 0), size, [&](Mode mode, size_t done) -> long {
    off_t at = start + static_cast<off_t>(done);
    if (mode == Mode::native) return sys::call(SYS_sendfile, socket, file, &at, size - done);
    if (done == first + held) {
      const long result = read_at(file, buffer.get(), std::min(size - done, piece), at);
      if (result <= 0) return result;
      first = done;
      held = static_cast<size_t>(result);
    }
    return sys::call(SYS_sendto, socket, buffer.get() + (done - first), first + held - done,
                     MSG_DONTWAIT | (done ? MSG_NOSIGNAL : 0), nullptr, 0);
  });
}

long transfer_file(int to, int from, off_t* offset, size_t size) {
  const auto call = [=] { return sys::call(SYS_sendfile, to, from, offset, size); };
  if (!self() || size == 0) return call();
  if (kind_of(from) != Kind::regular || !is_socket(kind_of(to))) return on_helper(call);
  const off_t start = offset ? *offset : sys::call(SYS_lseek, from, 0, SEEK_CUR);
  if (start < 0) return call();
  const long result = send_file(to, from, start, std::min(size, most_at_once));
  if (result <= 0) return result;
  if (offset) {
    *offset = start + result;
  } else {
    sys::call(SYS_lseek, from, start + result, SEEK_SET);
  }
  return result;
}

/// SPLICE_F_NONBLOCK speaks of pipes only.
bool can_try(int fd) {
  const Kind kind = kind_of(fd);
  return kind == Kind::fifo || kind == Kind::regular;
}

/// `call(flags)` moves something between `from` and `to`, at least one of which is a pipe.
template <class Call>
long splice_between(int from, int to, unsigned flags, Call call) {
  if (!self() || !can_try(from) || !can_try(to)) return on_helper([=] { return call(flags); });
  const auto attempt = [=](Mode mode) { return call(flags | unsigned(only_if(mode, SPLICE_F_NONBLOCK))); };
  if (kind_of(from) == Kind::regular || kind_of(to) == Kind::regular) return on_disk_or_cancelled(attempt, from, to);
  return flags & SPLICE_F_NONBLOCK ? at_once([=] { return call(flags); }) : blocking(PoolWait(), attempt);
}

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(ssize_t, sendfile, (int to, int from, off_t* offset, size_t size)) {
  return sys::result(transfer_file(to, from, offset, size));
}

GUV_INTERPOSE(ssize_t, splice,
              (int from, off64_t* from_offset, int to, off64_t* to_offset, size_t size, unsigned flags)) {
  return sys::result(splice_between(from, to, flags, [=](unsigned these) {
    return sys::call(SYS_splice, from, from_offset, to, to_offset, size, these);
  }));
}

GUV_INTERPOSE(ssize_t, tee, (int from, int to, size_t size, unsigned flags)) {
  return sys::result(
      splice_between(from, to, flags, [=](unsigned these) { return sys::call(SYS_tee, from, to, size, these); }));
}

GUV_INTERPOSE(ssize_t, vmsplice, (int fd, const iovec* parts, size_t count, unsigned flags)) {
  return sys::result(
      splice_between(fd, fd, flags, [=](unsigned these) { return sys::call(SYS_vmsplice, fd, parts, count, these); }));
}

GUV_INTERPOSE(ssize_t, copy_file_range,
              (int from, off64_t* from_offset, int to, off64_t* to_offset, size_t size, unsigned flags)) {
  return sys::result(
      on_helper([=] { return sys::call(SYS_copy_file_range, from, from_offset, to, to_offset, size, flags); }));
}
