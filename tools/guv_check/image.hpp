#pragma once

#include <elf.h>
#include <link.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace guv::check {

/// A name that an object wants from another.
struct Import {
  std::string name;
  /// The library and version it was linked against; empty when the object does not say.
  std::string library;
  std::string version;
};

/// Addresses are those of the file, before the loader moves it.
struct Function {
  std::uint64_t begin;
  std::uint64_t end;
  std::string name;   // empty when there is unwind information but no symbol
  bool sized = true;  // else `end` is only where the next one begins
};

struct Code {
  std::uint64_t address;
  std::span<const unsigned char> bytes;
};

/// An ELF file of our own class and machine, mapped into memory. Nothing in it is trusted: what lies outside the file
/// reads as absent.
class Image {
 public:
  /// Nothing when the file cannot be read or is not such a file.
  static std::optional<Image> open(const std::string& path);

  bool has_section(std::string_view name) const;
  /// The name by which others need it; empty when it has none.
  std::string soname() const;
  /// What it needs, as it says it: names, seldom paths.
  std::vector<std::string> needed() const;
  std::vector<Import> imports() const;
  /// The functions that other objects may find in it.
  std::vector<std::string> exports() const;
  /// All functions that symbols or unwind information tell of, by address; of two at one address the named one.
  std::vector<Function> functions() const;
  std::vector<Code> code() const;
  /// Where the loader writes the addresses of what is imported as `name`.
  std::vector<std::uint64_t> slots_of(std::string_view name) const;
  /// What each thread carries of it in its TLS block.
  std::uint64_t tls_size() const;

 private:
  using Bytes = std::span<const unsigned char>;
  struct Symbols;

  explicit Image(std::shared_ptr<const unsigned char> file, std::size_t size);
  template <class T>
  std::optional<T> at(std::uint64_t offset) const;
  template <class T>
  std::vector<T> array(std::uint64_t offset, std::uint64_t count, std::uint64_t stride) const;
  std::string_view text(std::uint64_t offset, std::uint64_t limit) const;
  std::optional<std::uint64_t> offset_of(std::uint64_t address) const;
  std::string_view name_of(const ElfW(Shdr) & section) const;
  std::vector<ElfW(Dyn)> dynamic() const;
  std::vector<std::string> dynamic_texts(ElfW(Sxword) tag) const;
  std::optional<Symbols> symbols(unsigned section_type) const;
  void add_unwound(std::vector<Function>& functions) const;

  std::shared_ptr<const unsigned char> file_;
  Bytes bytes_;
  std::vector<ElfW(Phdr)> segments_;
  std::vector<ElfW(Shdr)> sections_;
};

}  // namespace guv::check
