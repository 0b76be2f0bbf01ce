#include "hub/poller.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <atomic>
#include <new>

#include "base/gates.hpp"
#include "base/log.hpp"
#include "base/mapping.hpp"
#include "base/sys.hpp"
#include "hub/hub.hpp"

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

namespace guv {

// ---- what is known about descriptor numbers ----------------------------------------------------------------------

namespace fd_table {

namespace {

// Written with relaxed reads and writes rather than atomic additions: two kernel threads racing over one number is a race
// of the program's own, and either outcome differs from the old value.
struct Entry {
  std::atomic<uint32_t> generation;
  std::atomic<uint32_t> forks;  // how often the process had forked at its birth
  std::atomic<Kind> kind;
};
constexpr int chunk_bits = 12, chunk_size = 1 << chunk_bits, chunk_count = 1 << 10;
std::atomic<Entry*> chunks[chunk_count];
std::atomic<uint32_t> forks{0};
std::atomic<uint32_t> changes{1};
std::atomic<long> process{sys::call(SYS_getpid)};  // whose descriptors these are; 0: this was not reached yet

// A child of vfork or posix_spawn runs in our memory, but with descriptors of its own: what it does to them on its way to
// exec, by the same wrappers, is not to be noted here.
bool ours() {
  const long known = process.load(std::memory_order_relaxed);
  return known == 0 || known == sys::call(SYS_getpid);
}

Entry* entry(int fd, bool make) {
  const unsigned index = static_cast<unsigned>(fd) >> chunk_bits;
  if (index >= chunk_count) return nullptr;
  Entry* chunk = chunks[index].load(std::memory_order_acquire);
  if (!chunk) [[unlikely]] {
    if (!make) return nullptr;
    void* memory = map_memory(sizeof(Entry) * chunk_size);
    if (!memory) return nullptr;
    auto* fresh = static_cast<Entry*>(memory);
    if (!chunks[index].compare_exchange_strong(chunk, fresh)) {
      munmap(memory, sizeof(Entry) * chunk_size);
    } else {
      chunk = fresh;
    }
  }
  return &chunk[fd & (chunk_size - 1)];
}

void bump(Entry& entry, bool seen, Kind kind) {
  const uint32_t next = ((entry.generation.load(std::memory_order_relaxed) + 2) & ~1u) | (seen ? 1 : 0);
  entry.generation.store(next, std::memory_order_relaxed);
  entry.forks.store(forks.load(std::memory_order_relaxed), std::memory_order_relaxed);
  entry.kind.store(kind, std::memory_order_relaxed);
}

}  // namespace

void born(int fd, Kind kind) {
  if (!ours()) return;
  Entry* known = entry(fd, true);
  if (!known) return;
  bump(*known, true, kind);
  // Nobody would see it sent away.
  if (!is_open(Family::socket)) known->forks.fetch_sub(1, std::memory_order_relaxed);
}

void received(int fd) {
  if (!ours()) return;
  Entry* known = entry(fd, true);
  if (!known) return;
  bump(*known, true, Kind::unknown);
  known->forks.fetch_sub(1, std::memory_order_relaxed);
}

void duplicated(int original, int fd) {
  if (exclusive(original)) {
    born(fd);
  } else {
    received(fd);
  }
  set_kind(fd, kind(original));
}

void gone(int fd) {
  if (!ours()) return;
  if (Entry* known = entry(fd, false)) bump(*known, false, Kind::unknown);
}

void gone(unsigned first, unsigned last) {
  if (!ours()) return;
  const unsigned end = chunk_count * chunk_size - 1;
  for (unsigned fd = first; fd <= last && fd <= end; ++fd) {
    if (Entry* known = entry(static_cast<int>(fd), false)) {
      bump(*known, false, Kind::unknown);
    } else {
      fd |= chunk_size - 1;
    }
  }
}

uint32_t generation(int fd) {
  const Entry* known = entry(fd, false);
  return known ? known->generation.load(std::memory_order_relaxed) : 0;
}

Kind kind(int fd) {
  const Entry* known = entry(fd, false);
  return known ? known->kind.load(std::memory_order_relaxed) : Kind::unknown;
}

void set_kind(int fd, Kind kind) {
  if (!ours()) return;
  if (Entry* known = entry(fd, true)) known->kind.store(kind, std::memory_order_relaxed);
}

bool exclusive(int fd) {
  const Entry* known = entry(fd, false);
  return known && seen(known->generation.load(std::memory_order_relaxed)) &&
         known->forks.load(std::memory_order_relaxed) == forks.load(std::memory_order_relaxed);
}

void forking() { forks.fetch_add(1, std::memory_order_relaxed); }

void options_changed() { changes.fetch_add(1, std::memory_order_relaxed); }
uint32_t options() { return changes.load(std::memory_order_relaxed); }

void forked() { process.store(sys::call(SYS_getpid), std::memory_order_relaxed); }

bool owned_by_caller() { return ours(); }

}  // namespace fd_table

// ---- descriptors of guv's own ------------------------------------------------------------------------------------

namespace private_fd {

namespace {

constexpr int max_owned = 64;
std::atomic<int> owned[max_owned];  // fd + 1; 0: free
std::atomic<int> lowest{INT32_MAX};

}  // namespace

int hide(int fd) {
  rlimit limit{};
  sys::call(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, &limit);
  const rlim_t highest = limit.rlim_cur < 1 << 20 ? limit.rlim_cur : 1 << 20;
  long moved = sys::call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, highest > 256 ? highest - 128 : highest / 2);
  if (sys::failed(moved)) {
    moved = fd;
  } else {
    sys::call(SYS_close, fd);
  }
  for (auto& entry : owned) {
    int free = 0;
    if (!entry.compare_exchange_strong(free, static_cast<int>(moved) + 1)) continue;
    if (moved < lowest.load(std::memory_order_relaxed))
      lowest.store(static_cast<int>(moved), std::memory_order_relaxed);
    break;
  }
  return static_cast<int>(moved);
}

void forget(int fd) {
  int expected = fd + 1;
  for (auto& entry : owned) entry.compare_exchange_strong(expected, 0), expected = fd + 1;
}

// A child of vfork or posix_spawn has copies, which are the program's: it never runs the hub.
bool owns(int fd) {
  if (fd < lowest.load(std::memory_order_relaxed)) [[likely]]
    return false;
  if (!fd_table::owned_by_caller()) return false;
  for (auto& entry : owned) {
    if (entry.load(std::memory_order_relaxed) == fd + 1) return true;
  }
  return false;
}

int lowest_in(unsigned first, unsigned last) {
  if (!fd_table::owned_by_caller()) return -1;
  int found = -1;
  for (auto& entry : owned) {
    const int fd = entry.load(std::memory_order_relaxed) - 1;
    if (fd >= 0 && unsigned(fd) >= first && unsigned(fd) <= last && (found < 0 || fd < found)) found = fd;
  }
  return found;
}

}  // namespace private_fd

// ---- the poller --------------------------------------------------------------------------------------------------

namespace {

constexpr uint32_t read_events = EPOLLIN | EPOLLRDHUP | EPOLLPRI;
constexpr uint64_t own_mark = uint64_t{1} << 63;

}  // namespace

Poller::Poller() { create(); }

void Poller::create() {
  const long fd = sys::call(SYS_epoll_create1, EPOLL_CLOEXEC);
  epoll_fd_ = sys::failed(fd) ? -1 : private_fd::hide(static_cast<int>(fd));
}

Poller::~Poller() {
  if (epoll_fd_ >= 0) {
    private_fd::forget(epoll_fd_);
    sys::call(SYS_close, epoll_fd_);
  }
  for (Watched* chunk : chunks_) {
    if (chunk) munmap(chunk, sizeof(Watched) * chunk_size);
  }
}

Poller::Watched* Poller::find(int fd) const {
  const unsigned index = static_cast<unsigned>(fd) >> chunk_bits;
  return index < max_chunks && chunks_[index] ? &chunks_[index][fd & (chunk_size - 1)] : nullptr;
}

Poller::Watched* Poller::watched(int fd) {
  const unsigned index = static_cast<unsigned>(fd) >> chunk_bits;
  if (index >= max_chunks) return nullptr;
  if (!chunks_[index]) {
    void* memory = map_memory(sizeof(Watched) * chunk_size);
    if (!memory) return nullptr;
    chunks_[index] = static_cast<Watched*>(memory);
    for (int i = 0; i < chunk_size; ++i) new (&chunks_[index][i]) Watched;
  }
  return &chunks_[index][fd & (chunk_size - 1)];
}

int Poller::register_fd(Watched& entry, int fd, uint32_t events, uint32_t generation) {
  epoll_event event{};
  event.events = events | EPOLLET;
  event.data.u64 = uint64_t{generation & 0x7fffffff} << 32 | static_cast<uint32_t>(fd);
  long result = sys::call(SYS_epoll_ctl, epoll_fd_, EPOLL_CTL_ADD, fd, &event);
  if (result == -EEXIST && entry.events == events && entry.generation == generation) return 0;  // still as we left it
  if (result == -EEXIST) {
    // Known to this epoll, under an older generation or for fewer events. MOD reports what is ready once more.
    result = sys::call(SYS_epoll_ctl, epoll_fd_, EPOLL_CTL_MOD, fd, &event);
  }
  if (sys::failed(result)) {
    entry.events = 0;
    return static_cast<int>(-result);
  }
  if (entry.generation != generation) entry.ended = entry.drained = false;
  entry.events = events;
  entry.generation = generation;
  return 0;
}

int Poller::watch(FdWaiter& waiter) {
  if (waiter.fd < 0) return EBADF;
  Watched* entry = watched(waiter.fd);
  if (!entry) return ENOMEM;
  const uint32_t generation = fd_table::generation(waiter.fd);
  uint32_t needed = waiter.direction == writing ? EPOLLOUT : read_events;
  if (entry->generation == generation && entry->events) needed |= entry->events;
  const bool known = entry->events == needed && entry->generation == generation && fd_table::seen(generation);
  if (!known) {
    if (const int error = register_fd(*entry, waiter.fd, needed, generation)) return error;
  }
  waiter.woken = waiter.closed = false;
  entry->waiters[waiter.direction].push_back(&waiter);
  return 0;
}

bool Poller::still_true(const Watched& entry, int fd) {
  return entry.asked_generation == fd_table::generation(fd) && entry.asked_options == fd_table::options() &&
         fd_table::exclusive(fd);
}

bool Poller::plain(int fd, Direction direction) const {
  const Watched* entry = find(fd);
  return entry && entry->plain[direction] && still_true(*entry, fd);
}

void Poller::note_plain(int fd, Direction direction, bool tcp) {
  Watched* entry = find(fd);
  if (!entry || !fd_table::exclusive(fd)) return;
  if (!still_true(*entry, fd)) {
    entry->asked_generation = fd_table::generation(fd);
    entry->asked_options = fd_table::options();
    entry->plain[reading] = entry->plain[writing] = entry->tcp = entry->drained = false;
  }
  entry->plain[direction] = true;
  if (direction == reading) entry->tcp = tcp;
}

bool Poller::drained(int fd) const {
  const Watched* entry = find(fd);
  return entry && entry->drained && still_true(*entry, fd);
}

void Poller::note_drained(int fd) {
  Watched* entry = find(fd);
  if (!entry || !entry->tcp || entry->ended || !still_true(*entry, fd)) return;
  // What comes from now on must be told by an event: registered before the receive, as nothing runs in between.
  entry->drained = entry->plain[reading] && (entry->events & EPOLLIN) && entry->generation == entry->asked_generation;
}

void Poller::dispatch(Watched& entry, Direction direction) {
  List<FdWaiter>& waiters = entry.waiters[direction];
  bool consumer_woken = false;
  for (FdWaiter* waiter = waiters.front(); waiter;) {
    FdWaiter* next = waiters.next(waiter);
    if (!waiter->consumes || !consumer_woken) {
      consumer_woken |= waiter->consumes;
      waiter->woken = true;
      waiter->unlink();
      Hub::unpark(waiter->thread);
    }
    waiter = next;
  }
}

void Poller::pass_on(const FdWaiter& waiter) {
  Watched* entry = find(waiter.fd);
  if (!entry || entry->waiters[waiter.direction].empty()) return;
  for (FdWaiter* other = entry->waiters[waiter.direction].front(); other;
       other = entry->waiters[waiter.direction].next(other)) {
    if (!other->consumes) continue;
    other->woken = true;
    other->unlink();
    Hub::unpark(other->thread);
    return;
  }
}

void Poller::closing(int fd) {
  Watched* entry = fd >= 0 ? find(fd) : nullptr;
  if (!entry) return;
  if (entry->waiters[reading].empty() && entry->waiters[writing].empty()) return;
  if (!fd_table::owned_by_caller()) return;
  for (auto& waiters : entry->waiters) {
    while (FdWaiter* waiter = waiters.pop_front()) {
      waiter->closed = true;
      Hub::unpark(waiter->thread);
    }
  }
}

void Poller::closing(unsigned first, unsigned last) {
  const unsigned end = max_chunks * chunk_size - 1;
  for (unsigned fd = first; fd <= last && fd <= end; ++fd) {
    if (chunks_[fd >> chunk_bits]) {
      closing(static_cast<int>(fd));
    } else {
      fd |= chunk_size - 1;
    }
  }
}

bool Poller::watch_own(int fd, void (*callback)(void*), void* argument, uint32_t events) {
  if (own_count_ == max_own) return false;
  epoll_event event{};
  event.events = events;
  event.data.u64 = own_mark | static_cast<uint64_t>(own_count_);
  if (sys::failed(sys::call(SYS_epoll_ctl, epoll_fd_, EPOLL_CTL_ADD, fd, &event))) return false;
  own_[own_count_++] = {fd, callback, argument};
  return true;
}

void Poller::wait(Deadline until) {
  constexpr int capacity = 256;
  epoll_event events[capacity];
  long count;
  const int64_t left = until.is_never() ? -1 : until.nanoseconds() <= 0 ? 0 : until.left();
  if (has_pwait2_ && left > 0) {
    const timespec timeout = to_timespec(left);
    count = sys::call(SYS_epoll_pwait2, epoll_fd_, events, capacity, &timeout, nullptr, sys::signal_set_size);
    if (count == -ENOSYS) {
      has_pwait2_ = false;
      return wait(until);
    }
  } else {
    const int64_t milliseconds = left < 0 ? -1 : (left + 999'999) / 1'000'000;
    const int timeout = milliseconds > INT32_MAX ? INT32_MAX : static_cast<int>(milliseconds);
    count = sys::call(SYS_epoll_pwait, epoll_fd_, events, capacity, timeout, nullptr, sys::signal_set_size);
  }
  for (long i = 0; i < count; ++i) {
    const uint64_t data = events[i].data.u64;
    if (data & own_mark) {
      const OwnWatch& own = own_[data & (max_own - 1)];
      own.callback(own.argument);
      continue;
    }
    const int fd = static_cast<int>(data & 0xffffffff);
    Watched* entry = find(fd);
    // Another file under this number by now, or an old registration kept alive by a duplicate.
    if (!entry || (entry->generation & 0x7fffffff) != data >> 32) continue;
    const uint32_t what = events[i].events;
    entry->drained = false;
    if (what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) entry->ended = true;
    if (what & (read_events | EPOLLHUP | EPOLLERR)) dispatch(*entry, reading);
    if (what & (EPOLLOUT | EPOLLHUP | EPOLLERR)) dispatch(*entry, writing);
  }
}

void Poller::after_fork() {
  fd_table::forked();
  const int old = epoll_fd_;
  if (old >= 0) {
    private_fd::forget(old);
    sys::call(SYS_close, old);
  }
  create();
  own_count_ = 0;
  for (Watched* chunk : chunks_) {
    if (!chunk) continue;
    for (int i = 0; i < chunk_size; ++i) {
      Watched& entry = chunk[i];
      if (!entry.events) continue;
      entry.events = 0;
      entry.asked_generation = 0;
      entry.waiters[reading].abandon();
      entry.waiters[writing].abandon();
    }
  }
}

}  // namespace guv
