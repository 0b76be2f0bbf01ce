#include "system_calls.hpp"

#include <capstone/capstone.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string_view>

namespace guv::check {
namespace {

using namespace std::string_view_literals;

#if defined(__x86_64__)
constexpr auto our_arch = CS_ARCH_X86;
constexpr auto our_mode = CS_MODE_64;
constexpr std::array system_call_bytes = {"\x0f\x05"sv, "\x0f\x34"sv, "\xcd\x80"sv};  // syscall, sysenter, int 0x80

bool is_system_call(const cs_insn& instruction) {
  const std::string_view name = instruction.mnemonic;
  return name == "syscall" || name == "sysenter" || (name == "int" && instruction.op_str == "0x80"sv);
}

bool is_jump(const cs_insn& instruction) { return std::string_view(instruction.mnemonic).ends_with("jmp"); }
bool is_call(const cs_insn& instruction) { return std::string_view(instruction.mnemonic).ends_with("call"); }

/// The number register after `instruction`, given what it held before.
std::optional<long> number_after(const cs_insn& instruction, std::optional<long> before) {
  const std::string_view name = instruction.mnemonic;
  const std::string_view operands = instruction.op_str;
  if (is_call(instruction) || is_system_call(instruction)) return std::nullopt;
  if (!operands.starts_with("eax, ") && !operands.starts_with("rax, ")) return before;
  if (name == "cmp" || name == "test") return before;
  const std::string_view value = operands.substr(5);
  if (name == "xor" && value == operands.substr(0, 3)) return 0;
  if (name == "mov" && !value.empty() && value[0] >= '0' && value[0] <= '9')
    return std::strtol(value.data(), nullptr, 0);
  return std::nullopt;
}

/// The slot that `call` or `jmp` reads its target from: qword ptr [rip + 0x1234].
std::optional<std::uint64_t> slot_read_by(const cs_insn& instruction) {
  constexpr std::string_view form = "qword ptr [rip ";  // and "+ 0x1234]" or "- 0x1234]"
  const std::string_view operand = instruction.op_str;
  if (!operand.starts_with(form) || operand.size() < form.size() + 3) return std::nullopt;
  const auto distance = std::strtoull(operand.data() + form.size() + 2, nullptr, 0);
  const std::uint64_t next = instruction.address + instruction.size;
  return operand[form.size()] == '-' ? next - distance : next + distance;
}

/// The address that a direct jump or call goes to; 0 for others.
std::uint64_t target_of(const cs_insn& instruction) {
  return instruction.op_str[0] == '0' ? std::strtoull(instruction.op_str, nullptr, 0) : 0;
}

bool ends_flow(const cs_insn& instruction) {
  const std::string_view name = instruction.mnemonic;
  return is_jump(instruction) || name == "ret" || name == "ud2" || name == "hlt";
}

/// mov edi, number: the first argument of a call.
std::string loading(std::uint32_t number) {
  std::string bytes = "\xbf";
  bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
  return bytes;
}
#else
#error "say how this machine makes system calls"
#endif

struct Name {
  long number;
  const char* name;
};

constexpr Name names[] = {
#include "syscall_names.inc"
};

class Disassembler {
 public:
  Disassembler() {
    if (cs_open(our_arch, our_mode, &handle_) != CS_ERR_OK)
      throw std::runtime_error("capstone does not know this machine");
    instruction_ = cs_malloc(handle_);
  }
  ~Disassembler() {
    cs_free(instruction_, 1);
    cs_close(&handle_);
  }
  Disassembler(const Disassembler&) = delete;
  Disassembler& operator=(const Disassembler&) = delete;

  /// Calls visit(instruction) for each from `address` on, until it returns false or the bytes make no sense.
  template <class Visit>
  void run(std::uint64_t address, std::span<const unsigned char> bytes, Visit visit) {
    const std::uint8_t* next = bytes.data();
    std::size_t left = bytes.size();
    while (cs_disasm_iter(handle_, &next, &left, &address, instruction_) && visit(*instruction_)) {
    }
  }

 private:
  csh handle_ = 0;
  cs_insn* instruction_ = nullptr;
};

/// A function that holds one of the byte patterns; most do not, and need not be disassembled.
struct Suspect {
  Function function;
  std::span<const unsigned char> bytes;

  std::string name() const {
    if (!function.name.empty()) return function.name;
    std::ostringstream text;
    text << "0x" << std::hex << function.begin;
    return text.str();
  }
};

template <class Patterns>
std::vector<Suspect> suspects(const Image& image, const Patterns& patterns) {
  const auto functions = image.functions();
  std::map<std::uint64_t, Suspect> found;
  for (const Code& code : image.code()) {
    const std::string_view text(reinterpret_cast<const char*>(code.bytes.data()), code.bytes.size());
    for (const std::string_view pattern : patterns) {
      for (auto at = text.find(pattern); at != text.npos; at = text.find(pattern, at + 1)) {
        const std::uint64_t address = code.address + at;
        Function function{code.address, code.address + text.size(), {}, true};
        if (!functions.empty()) {
          const auto after = std::ranges::upper_bound(functions, address, {}, &Function::begin);
          // Between functions lie padding and the tables of hand-written assembly.
          if (after == functions.begin() || address >= std::prev(after)->end) continue;
          function = *std::prev(after);
          function.begin = std::max(function.begin, code.address);
          function.end = std::min(function.end, code.address + text.size());
        }
        const auto bytes = code.bytes.subspan(function.begin - code.address, function.end - function.begin);
        found.try_emplace(function.begin, Suspect{function, bytes});
      }
    }
  }
  std::vector<Suspect> all;
  for (auto& [address, suspect] : found) all.push_back(std::move(suspect));
  return all;
}

}  // namespace

std::vector<DirectCall> direct_system_calls(const Image& image) {
  std::vector<DirectCall> calls;
  Disassembler disassembler;
  for (const Suspect& suspect : suspects(image, system_call_bytes)) {
    std::optional<long> number;
    std::uint64_t furthest = 0;  // that a branch leads to
    disassembler.run(suspect.function.begin, suspect.bytes, [&](const cs_insn& instruction) {
      if (is_system_call(instruction)) calls.push_back({suspect.name(), number});
      number = number_after(instruction, number);
      if (suspect.function.sized) return true;
      // Where does assembly end that does not say it? After the last instruction that does not go on.
      if (instruction.mnemonic[0] == 'j') furthest = std::max(furthest, target_of(instruction));
      return !ends_flow(instruction) || instruction.address < furthest;
    });
  }
  return calls;
}

std::vector<std::string> functions_passing(const Image& image, std::uint32_t number) {
  std::vector<std::string> functions;
  const auto slots = image.slots_of("syscall");
  if (slots.empty()) return functions;
  const auto is_slot = [&](std::optional<std::uint64_t> slot) {
    return slot && std::ranges::find(slots, *slot) != slots.end();
  };
  const auto code = image.code();
  Disassembler disassembler;
  Disassembler stubs;
  // Through the slot itself, or by a stub of the procedure linkage table that jumps through it.
  const auto goes_to_syscall = [&](const cs_insn& instruction) {
    if (is_slot(slot_read_by(instruction))) return true;
    const std::uint64_t target = target_of(instruction);
    bool found = false;
    for (const Code& part : code) {
      if (target < part.address || target - part.address >= part.bytes.size()) continue;
      int left = 2;  // endbr64, jmp
      stubs.run(target, part.bytes.subspan(target - part.address), [&](const cs_insn& stub) {
        found = is_jump(stub) && is_slot(slot_read_by(stub));
        return !found && --left > 0;
      });
    }
    return found;
  };
  const std::string wanted = loading(number);
  for (const Suspect& suspect : suspects(image, std::array{std::string_view(wanted)})) {
    bool loaded = false;
    disassembler.run(suspect.function.begin, suspect.bytes, [&](const cs_insn& instruction) {
      if (loaded && (is_call(instruction) || is_jump(instruction))) {
        if (goes_to_syscall(instruction)) {
          functions.push_back(suspect.name());
          return false;
        }
        loaded = false;
      }
      loaded = loaded ||
               (instruction.size == wanted.size() && std::memcmp(instruction.bytes, wanted.data(), wanted.size()) == 0);
      return true;
    });
  }
  return functions;
}

std::string system_call_name(long number) {
  const auto* const found = std::ranges::find(names, number, &Name::number);
  return found != std::end(names) ? found->name : std::to_string(number);
}

}  // namespace guv::check
