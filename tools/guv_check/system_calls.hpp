#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "image.hpp"

namespace guv::check {

/// An instruction by which an object enters the kernel itself, past libc.
struct DirectCall {
  std::string function;  // as well as it can be told: a name, else its address
  /// What the code puts into the number's register right before; nothing when that comes from elsewhere.
  std::optional<long> number;
};

/// The system call instructions in the functions of `image`. Bytes that only look like one, in data or in the middle of
/// another instruction, are not counted.
std::vector<DirectCall> direct_system_calls(const Image& image);

/// The functions that call libc's syscall(2) with `number`.
std::vector<std::string> functions_passing(const Image& image, std::uint32_t number);

/// The kernel's name of a system call, or its number in digits.
std::string system_call_name(long number);

}  // namespace guv::check
