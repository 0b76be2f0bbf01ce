#include "image.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "../guv_run/elf_file.hpp"

namespace guv::check {

/// A symbol table with the strings it refers to.
struct Image::Symbols {
  std::vector<ElfW(Sym)> all;
  std::uint64_t strings;
  std::uint64_t strings_size;
};

std::optional<Image> Image::open(const std::string& path) {
  const auto head = run::read_head(path);
  if (!head || !head->is_ours) return std::nullopt;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  struct stat status;
  void* map = MAP_FAILED;
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
    map = mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
  }
  close(fd);
  if (map == MAP_FAILED) return std::nullopt;
  const auto size = static_cast<std::size_t>(status.st_size);
  const auto unmap = [size](const unsigned char* bytes) { munmap(const_cast<unsigned char*>(bytes), size); };
  return Image({static_cast<const unsigned char*>(map), unmap}, size);
}

Image::Image(std::shared_ptr<const unsigned char> file, std::size_t size)
    : file_(std::move(file)), bytes_(file_.get(), size) {
  const auto header = at<ElfW(Ehdr)>(0);
  if (!header) return;
  segments_ = array<ElfW(Phdr)>(header->e_phoff, header->e_phnum, header->e_phentsize);
  sections_ = array<ElfW(Shdr)>(header->e_shoff, header->e_shnum, header->e_shentsize);
}

template <class T>
std::optional<T> Image::at(std::uint64_t offset) const {
  if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes_.data() + offset, sizeof value);
  return value;
}

template <class T>
std::vector<T> Image::array(std::uint64_t offset, std::uint64_t count, std::uint64_t stride) const {
  std::vector<T> values;
  if (stride < sizeof(T)) return values;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto value = at<T>(offset + i * stride);
    if (!value) break;
    values.push_back(*value);
  }
  return values;
}

std::string_view Image::text(std::uint64_t offset, std::uint64_t limit) const {
  if (offset >= bytes_.size()) return {};
  const auto room = std::min<std::uint64_t>(limit, bytes_.size() - offset);
  const auto* const begin = reinterpret_cast<const char*>(bytes_.data() + offset);
  return {begin, strnlen(begin, room)};
}

std::optional<std::uint64_t> Image::offset_of(std::uint64_t address) const {
  for (const auto& segment : segments_) {
    if (segment.p_type != PT_LOAD || address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_filesz)
      continue;
    return segment.p_offset + (address - segment.p_vaddr);
  }
  return std::nullopt;
}

std::string_view Image::name_of(const ElfW(Shdr) & section) const {
  const auto header = at<ElfW(Ehdr)>(0);
  if (!header || header->e_shstrndx >= sections_.size()) return {};
  const auto& names = sections_[header->e_shstrndx];
  if (section.sh_name >= names.sh_size) return {};
  return text(names.sh_offset + section.sh_name, names.sh_size - section.sh_name);
}

bool Image::has_section(std::string_view name) const {
  return std::ranges::any_of(sections_, [&](const auto& section) { return name_of(section) == name; });
}

std::vector<ElfW(Dyn)> Image::dynamic() const {
  for (const auto& segment : segments_) {
    if (segment.p_type != PT_DYNAMIC) continue;
    auto entries = array<ElfW(Dyn)>(segment.p_offset, segment.p_filesz / sizeof(ElfW(Dyn)), sizeof(ElfW(Dyn)));
    const auto end = std::ranges::find(entries, DT_NULL, &ElfW(Dyn)::d_tag);
    entries.erase(end, entries.end());
    return entries;
  }
  return {};
}

std::string Image::soname() const {
  const auto names = dynamic_texts(DT_SONAME);
  return names.empty() ? "" : names.front();
}

std::vector<std::string> Image::needed() const { return dynamic_texts(DT_NEEDED); }

std::vector<std::string> Image::dynamic_texts(ElfW(Sxword) tag) const {
  const auto entries = dynamic();
  const auto strings = std::ranges::find(entries, DT_STRTAB, &ElfW(Dyn)::d_tag);
  if (strings == entries.end()) return {};
  const auto base = offset_of(strings->d_un.d_ptr);
  std::vector<std::string> names;
  for (const auto& entry : entries) {
    if (base && entry.d_tag == tag) names.emplace_back(text(*base + entry.d_un.d_val, PATH_MAX));
  }
  return names;
}

std::optional<Image::Symbols> Image::symbols(unsigned section_type) const {
  const auto found = std::ranges::find(sections_, section_type, &ElfW(Shdr)::sh_type);
  if (found == sections_.end() || found->sh_link >= sections_.size()) return std::nullopt;
  const auto& strings = sections_[found->sh_link];
  return Symbols{array<ElfW(Sym)>(found->sh_offset, found->sh_size / sizeof(ElfW(Sym)), sizeof(ElfW(Sym))),
                 strings.sh_offset, strings.sh_size};
}

std::vector<Import> Image::imports() const {
  const auto table = symbols(SHT_DYNSYM);
  if (!table) return {};
  // The version of each symbol is an index; SHT_GNU_verneed says what the indices mean.
  std::map<unsigned, std::pair<std::string, std::string>> versions;
  std::vector<ElfW(Half)> indices;
  for (const auto& section : sections_) {
    if (section.sh_type == SHT_GNU_versym) indices = array<ElfW(Half)>(section.sh_offset, section.sh_size / 2, 2);
    if (section.sh_type != SHT_GNU_verneed) continue;
    std::uint64_t offset = section.sh_offset;
    for (unsigned i = 0; i < section.sh_info; ++i) {
      const auto need = at<ElfW(Verneed)>(offset);
      if (!need) break;
      std::uint64_t one = offset + need->vn_aux;
      for (unsigned k = 0; k < need->vn_cnt; ++k) {
        const auto aux = at<ElfW(Vernaux)>(one);
        if (!aux) break;
        versions[aux->vna_other] = {std::string(text(table->strings + need->vn_file, PATH_MAX)),
                                    std::string(text(table->strings + aux->vna_name, PATH_MAX))};
        if (aux->vna_next == 0) break;
        one += aux->vna_next;
      }
      if (need->vn_next == 0) break;
      offset += need->vn_next;
    }
  }
  std::vector<Import> imports;
  for (std::size_t i = 0; i < table->all.size(); ++i) {
    const auto& symbol = table->all[i];
    if (symbol.st_shndx != SHN_UNDEF || symbol.st_name == 0 || symbol.st_name >= table->strings_size) continue;
    if (const auto type = ELF64_ST_TYPE(symbol.st_info); type != STT_FUNC && type != STT_NOTYPE) continue;
    Import import{std::string(text(table->strings + symbol.st_name, PATH_MAX)), {}, {}};
    if (i < indices.size()) {
      if (const auto version = versions.find(indices[i] & 0x7fff); version != versions.end()) {
        std::tie(import.library, import.version) = version->second;
      }
    }
    imports.push_back(std::move(import));
  }
  return imports;
}

std::vector<std::string> Image::exports() const {
  std::vector<std::string> names;
  const auto table = symbols(SHT_DYNSYM);
  for (const auto& symbol : table ? table->all : std::vector<ElfW(Sym)>{}) {
    const auto type = ELF64_ST_TYPE(symbol.st_info);
    if (symbol.st_shndx == SHN_UNDEF || (type != STT_FUNC && type != STT_GNU_IFUNC)) continue;
    if (symbol.st_name < table->strings_size) names.emplace_back(text(table->strings + symbol.st_name, PATH_MAX));
  }
  return names;
}

// .eh_frame_hdr, in the one form that linkers write: a sorted table of (function, its FDE), both relative to the
// header.
void Image::add_unwound(std::vector<Function>& functions) const {
  const auto segment = std::ranges::find(segments_, PT_GNU_EH_FRAME, &ElfW(Phdr)::p_type);
  if (segment == segments_.end()) return;
  constexpr std::uint32_t usual = 0x3b031b01;  // version 1, DW_EH_PE_pcrel|sdata4, udata4, datarel|sdata4
  const auto form = at<std::uint32_t>(segment->p_offset);
  const auto count = at<std::uint32_t>(segment->p_offset + 8);
  if (!form || !count || *form != usual) return;
  struct Row {
    std::int32_t function;
    std::int32_t fde;
  };
  for (const auto& row : array<Row>(segment->p_offset + 12, *count, sizeof(Row))) {
    const auto begin = segment->p_vaddr + static_cast<std::uint64_t>(std::int64_t{row.function});
    const auto fde = offset_of(segment->p_vaddr + static_cast<std::uint64_t>(std::int64_t{row.fde}));
    // An FDE is its length, its CIE, where the function begins and how long it is, four bytes each.
    const auto size = fde ? at<std::uint32_t>(*fde + 12) : std::nullopt;
    if (size) functions.push_back({begin, begin + *size, {}, true});
  }
}

std::vector<Function> Image::functions() const {
  std::vector<Function> found;
  for (const unsigned type : {SHT_SYMTAB, SHT_DYNSYM}) {
    const auto table = symbols(type);
    for (const auto& symbol : table ? table->all : std::vector<ElfW(Sym)>{}) {
      const auto kind = ELF64_ST_TYPE(symbol.st_info);
      if (symbol.st_shndx == SHN_UNDEF || symbol.st_name >= table->strings_size) continue;
      if (kind != STT_FUNC && kind != STT_GNU_IFUNC) continue;
      found.push_back({symbol.st_value, symbol.st_value + symbol.st_size,
                       std::string(text(table->strings + symbol.st_name, PATH_MAX))});
    }
  }
  add_unwound(found);
  std::ranges::stable_sort(found, {}, &Function::begin);
  // Of several at one address the first: symbols came before unwind information.
  const auto same = std::ranges::unique(found, {}, &Function::begin);
  found.erase(same.begin(), same.end());
  for (std::size_t i = 0; i < found.size(); ++i) {
    // Assembly often has a symbol without a size.
    const bool last = i + 1 == found.size();
    if (found[i].end != found[i].begin) continue;
    found[i].sized = false;
    found[i].end = last ? found[i].begin + 4096 : found[i + 1].begin;
  }
  return found;
}

std::vector<Code> Image::code() const {
  std::vector<Code> found;
  const auto add = [&](std::uint64_t address, std::uint64_t offset, std::uint64_t size) {
    if (offset < bytes_.size())
      found.push_back({address, bytes_.subspan(offset, std::min(size, bytes_.size() - offset))});
  };
  for (const auto& section : sections_) {
    if (section.sh_type == SHT_PROGBITS && (section.sh_flags & SHF_EXECINSTR) != 0) {
      add(section.sh_addr, section.sh_offset, section.sh_size);
    }
  }
  if (!found.empty()) return found;
  for (const auto& segment : segments_) {
    if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0)
      add(segment.p_vaddr, segment.p_offset, segment.p_filesz);
  }
  return found;
}

std::vector<std::uint64_t> Image::slots_of(std::string_view name) const {
  std::vector<std::uint64_t> slots;
  const auto table = symbols(SHT_DYNSYM);
  if (!table) return slots;
  for (const auto& section : sections_) {
    if (section.sh_type != SHT_RELA) continue;
    for (const auto& relocation :
         array<ElfW(Rela)>(section.sh_offset, section.sh_size / sizeof(ElfW(Rela)), sizeof(ElfW(Rela)))) {
      const std::uint64_t index = ELF64_R_SYM(relocation.r_info);
      if (index == 0 || index >= table->all.size() || table->all[index].st_name >= table->strings_size) continue;
      if (text(table->strings + table->all[index].st_name, PATH_MAX) == name) slots.push_back(relocation.r_offset);
    }
  }
  return slots;
}

std::uint64_t Image::tls_size() const {
  const auto segment = std::ranges::find(segments_, PT_TLS, &ElfW(Phdr)::p_type);
  return segment == segments_.end() ? 0 : segment->p_memsz;
}

}  // namespace guv::check
