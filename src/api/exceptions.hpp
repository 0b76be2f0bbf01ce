#pragma once

#include <cerrno>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

/// Between the C++ of the public headers and the C functions that stand for it.
namespace guv::api {

/// What `function()` returns, or the error of the exception it throws. Kills come as results, never as exceptions of
/// ours.
template <class Function>
int without_exceptions(Function function) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return -ENOMEM;
  } catch (const std::system_error& error) {
    return -error.code().value();
  }
}

/// A T for the program to free; null without memory.
template <class T, class... Arguments>
T* make(Arguments&&... arguments) {
  T* made = nullptr;
  without_exceptions([&] {
    made = new T(std::forward<Arguments>(arguments)...);
    return 0;
  });
  return made;
}

}  // namespace guv::api
