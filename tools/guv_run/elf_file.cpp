#include "elf_file.hpp"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <unistd.h>

#include <cstring>

#include "base/go_note.hpp"

namespace guv::run {
namespace {

#if defined(__x86_64__)
constexpr auto our_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr auto our_machine = EM_AARCH64;
#else
#error "add the ELF machine of this architecture"
#endif
constexpr auto our_class = sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32;
constexpr auto our_order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;

class File {
 public:
  explicit File(const std::string& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool is_open() const { return fd_ >= 0; }

  std::string read(std::size_t size, off_t offset) const {
    std::string bytes(size, '\0');
    const ssize_t got = pread(fd_, bytes.data(), size, offset);
    bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return bytes;
  }

 private:
  const int fd_;
};

/// What the program headers say.
void read_segments(const File& file, const ElfW(Ehdr) & header, FileHead& head) {
  constexpr std::size_t longest_notes = 1 << 16;
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    ElfW(Phdr) segment;
    const auto offset = static_cast<off_t>(header.e_phoff + std::size_t{i} * header.e_phentsize);
    const std::string bytes = file.read(sizeof segment, offset);
    if (bytes.size() < sizeof segment) break;
    std::memcpy(&segment, bytes.data(), sizeof segment);
    const auto content = [&] { return file.read(segment.p_filesz, static_cast<off_t>(segment.p_offset)); };
    if (segment.p_type == PT_INTERP && !head.loader && segment.p_filesz > 0 && segment.p_filesz <= PATH_MAX) {
      const std::string path = content();
      head.loader = path.substr(0, path.find('\0'));
    }
    if (segment.p_type == PT_NOTE && segment.p_filesz <= longest_notes) {
      const std::string notes = content();
      head.in_go |= is_go_note(notes.data(), notes.size());
    }
  }
}

}  // namespace

std::optional<FileHead> read_head(const std::string& path) {
  const File file(path);
  if (!file.is_open()) return std::nullopt;
  FileHead head;
  head.bytes = file.read(256, 0);
  ElfW(Ehdr) header;
  if (!head.bytes.starts_with(ELFMAG)) return head;
  head.is_elf = true;
  if (head.bytes.size() < sizeof header) return head;
  std::memcpy(&header, head.bytes.data(), sizeof header);
  head.is_ours =
      header.e_ident[EI_CLASS] == our_class && header.e_ident[EI_DATA] == our_order && header.e_machine == our_machine;
  if (head.is_ours) read_segments(file, header, head);
  return head;
}

}  // namespace guv::run
