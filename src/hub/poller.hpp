#pragma once

#include <cstdint>

#include "base/clock.hpp"
#include "base/list.hpp"
#include "hub/green_thread.hpp"

namespace guv {

/// What is known about descriptor numbers: when one began to mean something else, and what was found out about it since.
/// A registration made under an older generation is void. Written from any kernel thread.
namespace fd_table {

/// How a descriptor is tried without blocking. A wrong guess costs time, or is found out by the kernel's ENOTSOCK.
enum class Kind : uint8_t {
  unknown,
  stream,     // socket
  packets,    // socket, SOCK_SEQPACKET: a write ends a record
  datagrams,  // socket, any other type
  regular,    // waits for nothing but a disk
  fifo,       // pipes too
  terminal,   // can be opened a second time
  master,     // of a pseudoterminal: a second open makes another one
  other,      // eventfd, devices…
};
constexpr bool is_socket(Kind kind) { return kind >= Kind::stream && kind <= Kind::datagrams; }

/// The number was just handed out by the kernel: nothing registered for it before counts any more.
void born(int fd, Kind kind = Kind::unknown);
/// Likewise, by another process, which has it too.
void received(int fd);
/// Likewise, as another number for what `original` is.
void duplicated(int original, int fd);
/// The number is about to be closed or replaced.
void gone(int fd);
/// All numbers from `first` to `last` are.
void gone(unsigned first, unsigned last);
uint32_t generation(int fd);
/// Whether its birth was seen. Otherwise libc may have closed and opened it out of our sight.
inline bool seen(uint32_t generation) { return generation & 1; }

Kind kind(int fd);
void set_kind(int fd, Kind kind);

/// Whether no other process can have it: born in this one, which has not forked since.
bool exclusive(int fd);
/// The process is about to fork: nothing is exclusive any more.
void forking();

/// Somebody has changed flags or options of a descriptor: what was asked about any of them is void.
void options_changed();
uint32_t options();
/// In the child of fork: the table describes this process from now on.
void forked();
/// False in a child of vfork or posix_spawn, which uses its parent's memory.
bool owned_by_caller();

}  // namespace fd_table

enum Direction : uint8_t { reading = 0, writing = 1 };

/// A green thread that waits for a descriptor; lives on its stack.
struct FdWaiter : ListNode {
  GreenThread* thread = nullptr;
  int fd = -1;
  Direction direction = reading;
  bool consumes = true;  // it will take what made the descriptor ready: wake one such after another, but all others
  bool woken = false;    // by an event
  bool closed = false;   // the descriptor was closed meanwhile
};

/// The edge-triggered epoll that a hub sleeps in. Descriptors are registered once, and stay so while they live.
/// Used by the hub's kernel thread only.
class Poller {
 public:
  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  /// Makes sure that an event of the descriptor will reach `waiter`, until that is unlinked; 0, or an errno (EPERM: never blocks, EBADF).
  /// What is ready already is reported once more if the registration is new.
  int watch(FdWaiter& waiter);

  /// Wakes the next consumer behind one that was woken and has taken its share.
  void pass_on(const FdWaiter& waiter);

  /// Wakes all who wait for `fd` with `closed` set. Called before the number is given up.
  void closing(int fd);
  void closing(unsigned first, unsigned last);

  /// Registers a descriptor of guv's own; `callback(argument)` runs on the loop when it is readable.
  bool watch_own(int fd, void (*callback)(void*), void* argument, uint32_t events = 1 /* EPOLLIN */);

  /// Waits for events until `until` and wakes those concerned.
  void wait(Deadline until);

  int descriptor() const { return epoll_fd_; }

  // What was asked about a descriptor may be kept while nobody else can change it: it is exclusive, and no flag or option of
  // any descriptor has been changed since. (Three system calls less for each wait of a server.)

  /// Whether calls in this direction are known to block, without a time-out.
  bool plain(int fd, Direction direction) const;
  void note_plain(int fd, Direction direction, bool tcp);
  /// Whether a receive is known to find nothing: the last one took all there was, and no event has come since.
  bool drained(int fd) const;
  /// A receive took less than it had room for. Kept only for TCP, where nothing but its end (or urgent data, after which
  /// nothing is kept) makes a read short.
  void note_drained(int fd);

  /// After fork: the epoll is shared with the parent and must be left alone; makes a new one in its place.
  void after_fork();

 private:
  struct Watched {
    uint32_t generation = 0;  // that of the registration
    uint32_t events = 0;      // registered for; 0: not registered
    List<FdWaiter> waiters[2];

    uint32_t asked_generation = 0, asked_options = 0;  // what follows was found out under these
    bool plain[2] = {false, false};
    bool tcp = false;
    bool drained = false;
    bool ended = false;  // an event told of the end, an error or urgent data
  };
  struct OwnWatch {
    int fd;
    void (*callback)(void*);
    void* argument;
  };
  static constexpr int chunk_bits = 9, chunk_size = 1 << chunk_bits, max_chunks = 1 << 12;
  static constexpr int max_own = 8;

  Watched* watched(int fd);
  Watched* find(int fd) const;
  int register_fd(Watched& entry, int fd, uint32_t events, uint32_t generation);
  void dispatch(Watched& entry, Direction direction);
  static bool still_true(const Watched& entry, int fd);
  void create();

  int epoll_fd_ = -1;
  bool has_pwait2_ = true;
  int own_count_ = 0;
  OwnWatch own_[max_own];
  Watched* chunks_[max_chunks] = {};
};

/// Descriptors that belong to guv: high numbers, close-on-exec, hidden from the program's close, dup2 and closefrom.
namespace private_fd {

/// Moves `fd` out of the program's sight; returns the new number (or `fd` itself if that was not possible).
int hide(int fd);
void forget(int fd);
bool owns(int fd);
/// The lowest one in [first, last], or -1.
int lowest_in(unsigned first, unsigned last);

}  // namespace private_fd

}  // namespace guv
