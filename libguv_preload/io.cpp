// read(2), write(2) and their kin, on descriptors of any kind.
//
// Sockets: recv and send with MSG_DONTWAIT. Everything else: preadv2 and pwritev2 with RWF_NOWAIT; where the kernel
// knows no such thing for a kind of file, poll(0) first. A disk is no event to wait for: what its cache does not hold
// is read by a helper thread, and what goes to the disk itself is written by one.
#include <fcntl.h>
#include <limits.h>
#include <sys/uio.h>
#include <unistd.h>

#include "descriptor.hpp"
#include "interpose.hpp"
#include "wait/disk.hpp"

namespace guv {

namespace {

constexpr off_t here = -1;               // the file's own position, for preadv2
constexpr size_t pipe_buffer = 4096;     // pipe(7): a pipe that polls writable takes that much
constexpr size_t terminal_buffer = 128;  // and a terminal that, even if every byte is a line feed

/// The same pipe or terminal by a description of our own, with O_NONBLOCK: other processes may take away what poll
/// promised. The program's own description is left as it is.
class Twin {
 public:
  Twin(int fd, int access) {
    char path[32] = "/proc/self/fd/";
    char* end = path + 14;
    char digits[12];
    int count = 0;
    for (int rest = fd; count == 0 || rest; rest /= 10) digits[count++] = static_cast<char>('0' + rest % 10);
    while (count) *end++ = digits[--count];
    *end = '\0';
    fd_ = sys::call(SYS_openat, AT_FDCWD, path, access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    // What has a position of its own must not be written from its beginning.
    if (*this && sys::call(SYS_lseek, fd_, 0, SEEK_CUR) != -ESPIPE) {
      sys::call(SYS_close, fd_);
      fd_ = -ESPIPE;
    }
  }
  ~Twin() {
    if (*this) sys::call(SYS_close, fd_);
  }
  Twin(const Twin&) = delete;
  Twin& operator=(const Twin&) = delete;
  explicit operator bool() const { return !sys::failed(fd_); }
  long fd() const { return fd_; }

 private:
  long fd_;
};

bool wants_twin(int fd, Kind kind) {
  return (kind == Kind::fifo || kind == Kind::terminal) && !fd_table::exclusive(fd);
}

/// `plain` is the call as the program made it.
template <class Plain>
long try_read(int fd, Kind kind, std::span<const iovec> parts, Plain plain) {
  const long result = sys::call(SYS_preadv2, fd, parts.data(), parts.size(), here, here, RWF_NOWAIT);
  if (result != -EOPNOTSUPP) return result;
  if (!ready(fd, POLLIN)) return -EAGAIN;
  if (wants_twin(fd, kind)) {
    const Twin twin(fd, O_RDONLY);
    if (twin) return sys::call(SYS_readv, twin.fd(), parts.data(), parts.size());
  }
  return plain();
}

/// A file on a disk, at `offset` or `here`. What the page cache has is taken at once. A short read means its end, or
/// the end of what is cached.
template <class Plain>
long read_file(int fd, std::span<const iovec> parts, off_t offset, Plain plain) {
  const auto try_rest = [=](size_t done, int flags) {
    const Rest rest(parts, done);
    const off_t at = offset == here ? here : offset + static_cast<off_t>(done);
    return sys::call(SYS_preadv2, fd, rest.data(), rest.count(), at, at, flags);
  };
  const size_t wanted = total(parts);
  size_t done = 0;
  return blocking(PoolWait(), [&](Mode mode) -> long {
    if (mode == Mode::native) {
      if (!done) return plain();
      const long result = try_rest(done, 0);
      return static_cast<long>(done) + (sys::failed(result) ? 0 : result);
    }
    const long result = try_rest(0, RWF_NOWAIT);
    // What knows no such thing has no disk (/proc, tmpfs…), or is a network file system.
    if (result == -EOPNOTSUPP) return runtime().disk().answers_at_once(fd) ? on_quick_disk(plain) : -EAGAIN;
    if (result <= 0 || static_cast<size_t>(result) == wanted) return result;
    done = static_cast<size_t>(result);
    const long more = try_rest(done, RWF_NOWAIT);
    if (more == -EAGAIN) return more;
    return result + (sys::failed(more) ? 0 : more);
  });
}

template <class Plain>
long read_parts(int fd, Kind kind, std::span<const iovec> parts, Plain plain) {
  if (kind == Kind::regular) return read_file(fd, parts, here, plain);
  return blocking(readable(fd),
                  [=](Mode mode) { return mode == Mode::native ? plain() : try_read(fd, kind, parts, plain); });
}

/// Has `call` try `fd` as what it is known to be, and as what it is when that turns out to be wrong: the number may
/// have come to mean something else out of our sight.
template <class Call>
long as_kind(int fd, Call call) {
  const long result = call(kind_of(fd));
  if (result != -ENOTSOCK) [[likely]]
    return result;
  fd_table::set_kind(fd, Kind::unknown);
  return call(kind_of(fd));
}

long read_one(int fd, void* buffer, size_t size) {
  const auto plain = [=] { return sys::call(SYS_read, fd, buffer, size); };
  // A read of nothing waits for nothing; recv would wait, or take a datagram away.
  if (!self() || size == 0) return at_once(plain);
  return as_kind(fd, [=](Kind kind) {
    const iovec part{buffer, size};
    if (!is_socket(kind)) return read_parts(fd, kind, {&part, 1}, plain);
    return blocking(receivable(fd, 0), [=](Mode mode) {
      if (mode == Mode::native) return plain();
      return try_receive(fd, size,
                         [=] { return sys::call(SYS_recvfrom, fd, buffer, size, MSG_DONTWAIT, nullptr, nullptr); });
    });
  });
}

long read_vector(int fd, const iovec* first, int count) {
  const auto plain = [=] { return sys::call(SYS_readv, fd, first, count); };
  if (!self() || count <= 0 || count > IOV_MAX) return at_once(plain);
  const std::span parts(first, static_cast<size_t>(count));
  if (total(parts) == 0) return at_once(plain);
  return as_kind(fd, [=](Kind kind) {
    if (!is_socket(kind)) return read_parts(fd, kind, parts, plain);
    return blocking(receivable(fd, 0), [=](Mode mode) {
      if (mode == Mode::native) return plain();
      msghdr message{nullptr, 0, const_cast<iovec*>(first), parts.size(), nullptr, 0, 0};
      return sys::call(SYS_recvmsg, fd, &message, MSG_DONTWAIT);
    });
  });
}

long try_write(int fd, Kind kind, const Rest& rest) {
  const long result = sys::call(SYS_pwritev2, fd, rest.data(), rest.count(), here, here, RWF_NOWAIT);
  if (result != -EOPNOTSUPP) return result;
  if (!ready(fd, POLLOUT)) return -EAGAIN;
  if (wants_twin(fd, kind)) {
    const Twin twin(fd, O_WRONLY);
    if (twin) return sys::call(SYS_writev, twin.fd(), rest.data(), rest.count());
  }
  if (kind == Kind::other) return sys::call(SYS_writev, fd, rest.data(), rest.count());
  // poll says that something can be written, not how much.
  const size_t limit = kind == Kind::fifo ? pipe_buffer : terminal_buffer;
  return sys::call(SYS_write, fd, rest.data()->iov_base, std::min(rest.data()->iov_len, limit));
}

/// A file on a disk. The page cache takes what is written, unless it is to be on the disk when the call returns, or is so
/// much that the kernel may make its writer wait for the disk.
template <class Plain>
long write_file(int fd, size_t size, bool to_disk, Plain plain) {
  constexpr size_t much = 64 * 1024;
  const bool waits = to_disk || size >= much || (sys::call(SYS_fcntl, fd, F_GETFL) & (O_DIRECT | O_DSYNC));
  return waits ? on_helper(plain) : on_disk_or_cancelled([=](Mode) { return plain(); }, fd);
}

template <class Plain>
long write_parts(int fd, Kind kind, std::span<const iovec> parts, Plain plain) {
  if (kind == Kind::regular) return write_file(fd, total(parts), false, plain);
  return blocking_all(writable(fd), total(parts), [=](Mode mode, size_t done) {
    const Rest rest(parts, done);
    return mode == Mode::native ? sys::call(SYS_writev, fd, rest.data(), rest.count()) : try_write(fd, kind, rest);
  });
}

// write(2) on a SOCK_SEQPACKET socket ends a record, send does not.
int send_flags(Kind kind, size_t done) {
  return MSG_DONTWAIT | (kind == Kind::packets ? MSG_EOR : 0) | (done ? MSG_NOSIGNAL : 0);
}

long write_one(int fd, const void* buffer, size_t size) {
  const auto plain = [=] { return sys::call(SYS_write, fd, buffer, size); };
  if (!self()) return at_once(plain);
  return as_kind(fd, [=](Kind kind) {
    const iovec part{const_cast<void*>(buffer), size};
    if (!is_socket(kind)) return size ? write_parts(fd, kind, {&part, 1}, plain) : at_once(plain);
    const auto* bytes = static_cast<const char*>(buffer);
    return blocking_all(sendable(fd, 0), size, [=](Mode mode, size_t done) {
      return mode == Mode::native
                 ? sys::call(SYS_write, fd, bytes + done, size - done)
                 : sys::call(SYS_sendto, fd, bytes + done, size - done, send_flags(kind, done), nullptr, 0);
    });
  });
}

long write_vector(int fd, const iovec* first, int count) {
  const auto plain = [=] { return sys::call(SYS_writev, fd, first, count); };
  if (!self() || count <= 0 || count > IOV_MAX) return at_once(plain);
  const std::span parts(first, static_cast<size_t>(count));
  if (total(parts) == 0) return at_once(plain);
  return as_kind(fd, [=](Kind kind) {
    if (!is_socket(kind)) return write_parts(fd, kind, parts, plain);
    return blocking_all(sendable(fd, 0), total(parts), [=](Mode mode, size_t done) {
      const Rest rest(parts, done);
      if (mode == Mode::native) return sys::call(SYS_writev, fd, rest.data(), rest.count());
      const msghdr message{nullptr, 0, const_cast<iovec*>(rest.data()), rest.count(), nullptr, 0, 0};
      return sys::call(SYS_sendmsg, fd, &message, send_flags(kind, done));
    });
  });
}

template <class Plain>
long read_vector_at(int fd, std::span<const iovec> parts, off_t offset, Plain plain) {
  if (!self() || offset < 0 || kind_of(fd) != Kind::regular) return at_once(plain);
  return read_file(fd, parts, offset, plain);
}

template <class Plain>
long write_vector_at(int fd, std::span<const iovec> parts, bool to_disk, Plain plain) {
  if (!self() || kind_of(fd) != Kind::regular) return at_once(plain);
  return write_file(fd, total(parts), to_disk, plain);
}

long write_one_at(int fd, const void* buffer, size_t size, off_t offset) {
  const iovec part{const_cast<void*>(buffer), size};
  return write_vector_at(fd, {&part, 1}, false, [=] { return sys::call(SYS_pwrite64, fd, buffer, size, offset); });
}

}  // namespace

long read_at(int fd, void* buffer, size_t size, off_t offset) {
  const iovec part{buffer, size};
  return read_vector_at(fd, {&part, 1}, offset, [=] { return sys::call(SYS_pread64, fd, buffer, size, offset); });
}

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(ssize_t, read, (int fd, void* buffer, size_t size)) { return sys::result(read_one(fd, buffer, size)); }

// libc's own reads and writes in functions that are no cancellation points.
GUV_INTERPOSE_UNDECLARED(ssize_t, __read_nocancel, (int fd, void* buffer, size_t size)) {
  const WithoutCancellation scope;
  return sys::result(read_one(fd, buffer, size));
}

GUV_INTERPOSE_UNDECLARED(ssize_t, __read_chk, (int fd, void* buffer, size_t size, size_t room)) {
  if (size > room) __chk_fail();
  return sys::result(read_one(fd, buffer, size));
}

GUV_INTERPOSE(ssize_t, readv, (int fd, const iovec* parts, int count)) {
  return sys::result(read_vector(fd, parts, count));
}

GUV_INTERPOSE(ssize_t, pread, (int fd, void* buffer, size_t size, off_t offset)) {
  return sys::result(read_at(fd, buffer, size, offset));
}
GUV_ALSO(__libc_pread, pread);

GUV_INTERPOSE_UNDECLARED(ssize_t, __pread64_nocancel, (int fd, void* buffer, size_t size, off_t offset)) {
  const WithoutCancellation scope;
  return sys::result(read_at(fd, buffer, size, offset));
}

GUV_INTERPOSE_UNDECLARED(ssize_t, __pread_chk, (int fd, void* buffer, size_t size, off_t offset, size_t room)) {
  if (size > room) __chk_fail();
  return sys::result(read_at(fd, buffer, size, offset));
}

GUV_INTERPOSE(ssize_t, preadv, (int fd, const iovec* parts, int count, off_t offset)) {
  const auto plain = [=] { return sys::call(SYS_preadv, fd, parts, count, offset, 0); };
  if (count <= 0 || count > IOV_MAX) return sys::result(plain());
  return sys::result(read_vector_at(fd, {parts, static_cast<size_t>(count)}, offset, plain));
}

GUV_INTERPOSE(ssize_t, preadv2, (int fd, const iovec* parts, int count, off_t offset, int flags)) {
  const auto plain = [=] { return sys::call(SYS_preadv2, fd, parts, count, offset, 0, flags); };
  if (flags || count <= 0 || count > IOV_MAX) return sys::result(at_once(plain));
  if (offset == here) return sys::result(read_vector(fd, parts, count));
  return sys::result(read_vector_at(fd, {parts, static_cast<size_t>(count)}, offset, plain));
}

GUV_INTERPOSE(ssize_t, write, (int fd, const void* buffer, size_t size)) {
  return sys::result(write_one(fd, buffer, size));
}

GUV_INTERPOSE_UNDECLARED(ssize_t, __write_nocancel, (int fd, const void* buffer, size_t size)) {
  const WithoutCancellation scope;
  return sys::result(write_one(fd, buffer, size));
}

GUV_INTERPOSE(ssize_t, writev, (int fd, const iovec* parts, int count)) {
  return sys::result(write_vector(fd, parts, count));
}

GUV_INTERPOSE(ssize_t, pwrite, (int fd, const void* buffer, size_t size, off_t offset)) {
  return sys::result(write_one_at(fd, buffer, size, offset));
}
GUV_ALSO(__libc_pwrite, pwrite);

GUV_INTERPOSE(ssize_t, pwritev, (int fd, const iovec* parts, int count, off_t offset)) {
  const auto plain = [=] { return sys::call(SYS_pwritev, fd, parts, count, offset, 0); };
  if (count <= 0 || count > IOV_MAX) return sys::result(plain());
  return sys::result(write_vector_at(fd, {parts, static_cast<size_t>(count)}, false, plain));
}

GUV_INTERPOSE(ssize_t, pwritev2, (int fd, const iovec* parts, int count, off_t offset, int flags)) {
  if (offset == here && flags == 0) return sys::result(write_vector(fd, parts, count));
  const auto plain = [=] { return sys::call(SYS_pwritev2, fd, parts, count, offset, 0, flags); };
  if ((flags & RWF_NOWAIT) || count <= 0 || count > IOV_MAX) return sys::result(at_once(plain));
  const bool to_disk = flags & (RWF_DSYNC | RWF_SYNC);
  return sys::result(write_vector_at(fd, {parts, static_cast<size_t>(count)}, to_disk, plain));
}
