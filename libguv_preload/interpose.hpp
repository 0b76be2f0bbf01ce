#pragma once

#include <type_traits>

#include "base/real.hpp"
#include "base/sys.hpp"
#include "table.hpp"
#include "wait/address.hpp"
#include "wait/blocking.hpp"
#include "wait/fd.hpp"
#include "wait/time.hpp"

/// How a libc name is taken over. The table is symbols.def; a wrapper is
///
///   GUV_INTERPOSE(ssize_t, recv, (int fd, void* buffer, size_t size, int flags)) { … }
///
/// which defines guv_wrap_recv, the name by which the table and other wrappers know it. What the program finds as `recv` is
/// its gate (gates.S), which leads here unless its family is closed. Without a row in the table, or with a signature other
/// than the header's, it does not compile; a row without a wrapper does not link.

/// libc's end of a program whose fortified call would write behind its buffer.
extern "C" [[noreturn]] void __chk_fail();

namespace guv {

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

/// A function, called as natively: a green thread is a kernel thread in its eyes, and the hub waits with it. `target()` is the
/// function.
template <auto target, class Function = typename Plain<decltype(target())>::type>
struct Natively;
template <auto target, class Result, class... Parameters>
struct Natively<target, Result (*)(Parameters...)> {
  static Result call(Parameters... parameters) {
    const signals::NativeScope scope;
    return target()(parameters...);
  }
};
// What else was passed is where it would be if these were its parameters.
template <auto target, class Result, class... Parameters>
struct Natively<target, Result (*)(Parameters..., ...)> {
  static Result call(Parameters... parameters, long a, long b, long c, long d, long e, long f) {
    const signals::NativeScope scope;
    return target()(parameters..., a, b, c, d, e, f);
  }
};

}  // namespace guv

/// libc's own function, for wrappers that are more than a system call (rows GUV_SYMBOL): found behind guv.
#define GUV_NEXT(name) next_symbol<decltype(&::name)>(#name)

#define GUV_INTERPOSE(result, name, parameters)                               \
  static_assert(guv::same_signature<decltype(&::name), result(*) parameters>, \
                #name " has another signature in the header");                \
  GUV_INTERPOSE_UNDECLARED(result, name, parameters)

/// For names that no header declares (fortified variants, libc's private ones).
#define GUV_INTERPOSE_UNDECLARED(result, name, parameters)                                            \
  static_assert(guv::row::name >= 0);                                                                 \
  extern "C" __attribute__((used, visibility("hidden"))) result guv_wrap_##name parameters;           \
  GUV_ORIGINAL(name, [] {                                                                             \
    using Function = result(*) parameters;                                                            \
    constexpr bool leads_here = guv::row::is_entry[guv::row::name];                                   \
    static const Function target = leads_here ? &guv_wrap_##name : guv::next_symbol<Function>(#name); \
    return target;                                                                                    \
  });                                                                                                 \
  extern "C" result guv_wrap_##name parameters

/// `target()` is what natively has the effect of libc's function.
#define GUV_ORIGINAL(name, target)                                                      \
  extern "C" __attribute__((visibility("hidden"))) const guv::Code guv_original_##name; \
  const guv::Code guv_original_##name = reinterpret_cast<guv::Code>(&guv::Natively<target>::call)

/// Another name of the wrapper `name`, which stands in the same file, for a name that is patched and not exported.
#define GUV_ALSO(alias, name)                                 \
  static_assert(guv::row::alias >= 0 && guv::row::name >= 0); \
  __asm__(".globl guv_wrap_" #alias "\n\t.hidden guv_wrap_" #alias "\n\t.set guv_wrap_" #alias ", guv_wrap_" #name)
