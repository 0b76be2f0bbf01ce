#pragma once

#include <dlfcn.h>

#include <functional>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "guv/error.hpp"
#include "guv/patcher.h"

/// Which calls of libc are green: in the process, in one library, during one call.
namespace guv {
inline namespace v1 {

/// Makes the calls of the named families green, in the whole process and for good: monkey_patch("socket", "time");
/// without a name, those of all. See guv_monkey_patch. Throws std::invalid_argument when one is none, having changed
/// nothing.
template <class... Names>
void monkey_patch(const Names&... families) {
  std::string list;
  for (const std::string_view family : std::initializer_list<std::string_view>{families...}) {
    if (!list.empty()) list += ',';
    list += family;
  }
  if (guv_monkey_patch(sizeof...(families) ? list.c_str() : nullptr) < 0) {
    throw std::invalid_argument("guv::monkey_patch: no such family: " + list);
  }
}

/// Returns whether a family, or else a function of libc, is green.
inline bool is_monkey_patched(const char* name) { return guv_is_monkey_patched(name); }

/// Returns the function as it is without guv. See guv_original.
inline void* original(const char* name) { return guv_original(name); }

/// Likewise, with its type: original<decltype(::read)>("read").
template <class Function>
Function* original(const char* name) {
  return reinterpret_cast<Function*>(guv_original(name));
}

/// Returns a function that does what `function` does, with all its calls green while it is running. See
/// guv_enter_patched.
template <class Function>
auto patch_function(Function function) {
  return [function = std::move(function)]<class... Arguments>(
             Arguments&&... arguments) mutable -> std::invoke_result_t<Function&, Arguments...> {
    const struct Scope {
      Scope() { guv_enter_patched(); }
      ~Scope() { guv_leave_patched(); }
    } scope;
    return std::invoke(function, std::forward<Arguments>(arguments)...);
  };
}

/// A name that an object imports, and the function that it shall have instead.
struct Import : guv_import {
  template <class Result, class... Parameters>
  Import(const char* import, Result (*with)(Parameters...)) : guv_import{import, reinterpret_cast<void*>(with)} {}
  template <class Result, class... Parameters>
  Import(const char* import, Result (*with)(Parameters..., ...)) : guv_import{import, reinterpret_cast<void*>(with)} {}
};

/// What has been rebound in an object. Puts it back at its end.
class Patch {
 public:
  Patch() = default;
  explicit Patch(guv_patch* patch) : patch_(patch) {}
  Patch(Patch&& other) noexcept : patch_(std::exchange(other.patch_, nullptr)) {}
  Patch& operator=(Patch&& other) noexcept {
    std::swap(patch_, other.patch_);
    return *this;
  }
  ~Patch() { undo(); }

  /// Puts back what was there before, at once.
  void undo() { guv_undo(std::exchange(patch_, nullptr)); }

  /// Leaves it as it is, for good.
  void keep() { patch_ = nullptr; }

 private:
  guv_patch* patch_ = nullptr;
};

/// Has imports of one loaded object lead to other functions, until the Patch ends. `handle` is dlopen's. Throws
/// std::system_error: ENOENT, for a name that it does not import, EINVAL, EACCES.
[[nodiscard]] inline Patch inject(void* handle, std::initializer_list<Import> imports) {
  const std::vector<guv_import> table(imports.begin(), imports.end());
  guv_patch* patch = nullptr;
  detail::check(guv_inject(handle, table.data(), table.size(), &patch));
  return Patch(patch);
}

/// A library whose calls are green; see guv_import_patched. Ends with its object: native again, and closed.
class PatchedLibrary {
 public:
  PatchedLibrary(void* handle, guv_patch* patch) : handle_(handle), patch_(patch) {}
  PatchedLibrary(PatchedLibrary&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), patch_(std::move(other.patch_)) {}
  PatchedLibrary& operator=(PatchedLibrary&& other) noexcept {
    std::swap(handle_, other.handle_);
    patch_ = std::move(other.patch_);
    return *this;
  }
  ~PatchedLibrary() {
    patch_.undo();
    if (handle_) dlclose(handle_);
  }

  void* handle() const { return handle_; }

  /// Makes its calls native again, at once; it stays loaded.
  void undo() { patch_.undo(); }

  /// Returns what the library defines as `name`: symbol<decltype(curl_version)>("curl_version"). Throws
  /// std::out_of_range.
  template <class Function>
  Function* symbol(const char* name) const {
    void* address = dlsym(handle_, name);
    if (!address) throw std::out_of_range(std::string("no such symbol: ") + name);
    return reinterpret_cast<Function*>(address);
  }

 private:
  void* handle_;
  Patch patch_;
};

/// Loads a library and makes its calls green. `flags` are dlopen's, with or without GUV_WITH_DEPENDENCIES. Throws
/// std::system_error: ENOENT, ENOEXEC (dlerror(3) says why), EACCES.
[[nodiscard]] inline PatchedLibrary import_patched(const char* path, int flags = RTLD_NOW) {
  void* handle = nullptr;
  guv_patch* patch = nullptr;
  detail::check(guv_import_patched(path, flags, &handle, &patch));
  return {handle, patch};
}

}  // namespace v1
}  // namespace guv
