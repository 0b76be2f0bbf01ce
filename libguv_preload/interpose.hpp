#pragma once

#include <type_traits>

#include "base/real.hpp"
#include "base/sys.hpp"
#include "wait/address.hpp"
#include "wait/blocking.hpp"
#include "wait/fd.hpp"
#include "wait/time.hpp"

/// How a libc name is taken over. The table is symbols.def; a wrapper is
///
///   GUV_INTERPOSE(ssize_t, recv, (int fd, void* buffer, size_t size, int flags)) { … }
///
/// which exports `recv` and defines guv_wrap_recv, the name by which the table and other wrappers know it. Without a row
/// in the table, or with a signature other than the header's, it does not compile; a row without a wrapper does not link.
/// libc's end of a program whose fortified call would write behind its buffer.
extern "C" [[noreturn]] void __chk_fail();

namespace guv {

/// A row exists for each enumerator.
namespace row {
enum : int {
#define GUV_SYMBOL(name, ...) name,
#define GUV_ENTRY(name, ...) name,
#define GUV_INNER(name, ...) name,
#define GUV_ALIAS(alias, ...) alias,
#include "symbols.def"
  count
};
}  // namespace row

template <class Function>
struct Plain;
template <class Result, class... Parameters>
struct Plain<Result (*)(Parameters...)> {
  using type = Result (*)(Parameters...);
};
template <class Result, class... Parameters>
struct Plain<Result (*)(Parameters...) noexcept> {
  using type = Result (*)(Parameters...);
};
template <class Result, class... Parameters>
struct Plain<Result (*)(Parameters..., ...)> {
  using type = Result (*)(Parameters..., ...);
};
template <class Result, class... Parameters>
struct Plain<Result (*)(Parameters..., ...) noexcept> {
  using type = Result (*)(Parameters..., ...);
};
template <class A, class B>
constexpr bool same_signature = std::is_same_v<typename Plain<A>::type, typename Plain<B>::type>;

}  // namespace guv

/// libc's own function, for wrappers that are more than a system call (rows GUV_SYMBOL): found behind guv.
#define GUV_NEXT(name) next_symbol<decltype(&::name)>(#name)

#define GUV_INTERPOSE(result, name, parameters)                               \
  static_assert(guv::same_signature<decltype(&::name), result(*) parameters>, \
                #name " has another signature in the header");                \
  GUV_INTERPOSE_UNDECLARED(result, name, parameters)

/// For names that no header declares (fortified variants, libc's private ones).
#define GUV_INTERPOSE_UNDECLARED(result, name, parameters)                                      \
  __asm__(".globl " #name "\n\t.type " #name ", @function\n\t.set " #name ", guv_wrap_" #name); \
  GUV_DEFINE(result, name, parameters)

/// For entries that are patched but not exported.
#define GUV_DEFINE(result, name, parameters)                                                \
  static_assert(guv::row::name >= 0);                                                       \
  extern "C" __attribute__((used, visibility("hidden"))) result guv_wrap_##name parameters; \
  extern "C" result guv_wrap_##name parameters

/// Another name of the wrapper `name`, which stands in the same file. The table has a GUV_ALIAS row for it.
#define GUV_ALSO(alias, name)                                                                    \
  static_assert(guv::row::alias >= 0 && guv::row::name >= 0);                                    \
  __asm__(".globl " #alias "\n\t.type " #alias ", @function\n\t.set " #alias ", guv_wrap_" #name \
          "\n.globl guv_wrap_" #alias "\n\t.hidden guv_wrap_" #alias "\n\t.set guv_wrap_" #alias ", guv_wrap_" #name)

/// As GUV_ALSO for a name that is patched, not exported.
#define GUV_ALSO_INNER(alias, name)                           \
  static_assert(guv::row::alias >= 0 && guv::row::name >= 0); \
  __asm__(".globl guv_wrap_" #alias "\n\t.hidden guv_wrap_" #alias "\n\t.set guv_wrap_" #alias ", guv_wrap_" #name)
