#include "base/mapping.hpp"

#include <fcntl.h>
#include <linux/ioctl.h>
#include <stdint.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#include "base/sys.hpp"

namespace guv {

namespace {

// <linux/fs.h> of Linux 6.11: asks for the mapping that covers one address.
struct MapQuery {
  uint64_t size, query_flags, query_address, start, end, flags, page_size, offset, inode;
  uint32_t device_major, device_minor, name_size, build_id_size;
  uint64_t name_address, build_id_address;
};
constexpr unsigned long procmap_query = _IOC(_IOC_READ | _IOC_WRITE, 'f', 17, sizeof(MapQuery));
constexpr uint64_t vma_shared = 8;

enum class Answer { no, yes, unknown };

Answer ask_kernel(long fd, uint64_t address) {
  MapQuery query{};
  query.size = sizeof query;
  query.query_address = address;
  if (sys::failed(sys::call(SYS_ioctl, fd, procmap_query, &query))) return Answer::unknown;
  return query.flags & vma_shared ? Answer::yes : Answer::no;
}

/// Reads "start-end perms …" lines until one covers the address; the fourth letter of perms is s or p.
Answer search_list(long fd, uint64_t address) {
  char buffer[4096];
  uint64_t start = 0, value = 0;
  int column = 0;  // 0 start, 1 end, 2 perms, 3 rest
  int letter = 0;
  for (;;) {
    const long got = sys::call(SYS_read, fd, buffer, sizeof buffer);
    if (got <= 0) return Answer::unknown;
    for (long i = 0; i < got; ++i) {
      const char c = buffer[i];
      if (c == '\n') {
        column = letter = 0;
        value = 0;
      } else if (column == 0 && c == '-') {
        start = value;
        value = 0;
        column = 1;
      } else if (column == 1 && c == ' ') {
        column = address >= start && address < value ? 2 : 3;
      } else if (column < 2) {
        value = value << 4 | static_cast<uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
      } else if (column == 2 && ++letter == 4) {
        return c == 's' ? Answer::yes : Answer::no;
      }
    }
  }
}

}  // namespace

void* map_memory(size_t size, int more_flags) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | more_flags;
  const long memory = sys::call(SYS_mmap, nullptr, size, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (sys::failed(memory)) return nullptr;
  unmark(reinterpret_cast<void*>(memory), size);
  return reinterpret_cast<void*>(memory);
}

#if defined(__SANITIZE_ADDRESS__)
void unmark(const void* memory, size_t size) { __asan_unpoison_memory_region(memory, size); }
#else
void unmark(const void*, size_t) {}
#endif

bool in_shared_mapping(const void* address) {
  const long fd = sys::call(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (sys::failed(fd)) return true;
  const auto place = reinterpret_cast<uint64_t>(address);
  Answer answer = ask_kernel(fd, place);
  if (answer == Answer::unknown) answer = search_list(fd, place);
  sys::call(SYS_close, fd);
  return answer != Answer::no;
}

}  // namespace guv
