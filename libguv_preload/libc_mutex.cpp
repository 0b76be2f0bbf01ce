#include "libc_mutex.hpp"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <span>

#include "interpose.hpp"

extern "C" int guv_wrap_pthread_mutex_lock(pthread_mutex_t*);
extern "C" int guv_wrap_pthread_mutex_unlock(pthread_mutex_t*);

namespace guv {

namespace {

struct Range {
  uintptr_t begin, end;
  bool has(uintptr_t address) const { return address >= begin && address < end; }
};

// The libraries that libc consists of: libc itself, the loader, and libpthread, which was one of its own until 2.34.
constexpr size_t most_libraries = 3;
Range libraries[most_libraries];
size_t library_count = 0;

struct Line {
  std::atomic<pthread_mutex_t*> mutex{nullptr};  // whose line it is, once and for all
  pthread_mutex_t place = PTHREAD_MUTEX_INITIALIZER;
};
Line lines[32];

/// Null when there are more mutexes than lines.
Line* line_for(pthread_mutex_t* mutex) {
  for (Line& line : lines) {
    pthread_mutex_t* whose = nullptr;
    if (line.mutex.compare_exchange_strong(whose, mutex) || whose == mutex) return &line;
  }
  return nullptr;
}

Range range_of(const dl_phdr_info& library) {
  Range range{~uintptr_t{0}, 0};
  for (const auto& segment : std::span(library.dlpi_phdr, library.dlpi_phnum)) {
    if (segment.p_type != PT_LOAD) continue;
    range.begin = std::min(range.begin, static_cast<uintptr_t>(library.dlpi_addr + segment.p_vaddr));
    range.end = std::max(range.end, static_cast<uintptr_t>(library.dlpi_addr + segment.p_vaddr + segment.p_memsz));
  }
  return range;
}

int lock_in_kernel(pthread_mutex_t* mutex) {
  // Who makes a helper can go to none.
  if (GreenThread* me = self(); me && me->makes_helper) {
    int error;
    while ((error = real().pthread_mutex_trylock(mutex)) == EBUSY) me->hub->park(Deadline::in_milliseconds(1));
    return error;
  }
  // Not pthread_mutex_lock: its entry leads back here.
  return offload([=] { return real().pthread_mutex_timedlock(mutex, &end_of_time); });
}

}  // namespace

void find_libc_data() {
  dl_iterate_phdr(
      [](dl_phdr_info* library, size_t, void*) {
        const Range range = range_of(*library);
        for (void* known : {reinterpret_cast<void*>(real().sigaction), reinterpret_cast<void*>(real().pthread_mutex_trylock),
                            dlsym(RTLD_DEFAULT, "_rtld_global")}) {
          if (!range.has(reinterpret_cast<uintptr_t>(known))) continue;
          libraries[library_count++] = range;
          break;
        }
        return library_count == most_libraries ? 1 : 0;
      },
      nullptr);
}

bool is_libc_mutex(const pthread_mutex_t* mutex) {
  const auto address = reinterpret_cast<uintptr_t>(mutex);
  return std::any_of(libraries, libraries + library_count, [=](const Range& range) { return range.has(address); });
}

int lock_libc_mutex(pthread_mutex_t* mutex) {
  Line* line = line_for(mutex);
  if (line) guv_wrap_pthread_mutex_lock(&line->place);
  const int result = lock_in_kernel(mutex);
  if (line) guv_wrap_pthread_mutex_unlock(&line->place);
  return result;
}

void libc_mutexes_after_fork() {
  for (Line& line : lines) line.place = PTHREAD_MUTEX_INITIALIZER;
}

}  // namespace guv
