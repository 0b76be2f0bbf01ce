#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "guv/error.hpp"
#include "guv/green_thread.hpp"
#include "guv/guv.h"

struct uv_loop_s;

/// The hub: the kernel thread and the libuv loop that green threads run on.
namespace guv {
inline namespace v1 {

/// Has `function()` called on the hub, soon, in the order of the calls. From any thread. It must not wait; what it
/// throws is printed.
template <class Function>
void call_on_hub(Function function) {
  auto call = std::make_unique<Function>(std::move(function));
  detail::check(guv_call_on_hub(
      [](void* argument) {
        const std::unique_ptr<Function> due(static_cast<Function*>(argument));
        try {
          (*due)();
        } catch (...) {
          detail::print_exception("a callback");
        }
      },
      call.get()));
  call.release();
}

/// Returns `function()`, called on a kernel thread of guv's while the calling green thread waits; throws what it
/// throws. For long computations, and for what blocks in ways that guv does not know.
template <class Function>
auto offload(Function&& function) -> std::invoke_result_t<Function> {
  using R = std::invoke_result_t<Function>;
  struct Call {
    std::remove_reference_t<Function>& function;
    std::optional<detail::Held<R>> value;
    std::exception_ptr exception;
  } call{function, {}, nullptr};
  detail::check(guv_offload(
      [](void* argument) -> void* {
        auto& made = *static_cast<Call*>(argument);
        try {
          if constexpr (std::is_void_v<R>) {
            std::invoke(made.function);
          } else {
            made.value.emplace(std::invoke(made.function));
          }
        } catch (abi::__forced_unwind&) {
          throw;
        } catch (...) {
          made.exception = std::current_exception();
        }
        return nullptr;
      },
      &call, nullptr));
  if (call.exception) std::rethrow_exception(call.exception);
  if constexpr (!std::is_void_v<R>) return std::move(*call.value);
}

/// The libuv loop within the hub, for handles of the program's own. Libuv is to be called by green threads or on the
/// hub; its callbacks run on the hub, where nothing may wait.
inline uv_loop_s* uv_loop() {
  uv_loop_s* loop = guv_uv_loop();
  if (!loop) detail::throw_error(-ENOTSUP);
  return loop;
}

}  // namespace v1
}  // namespace guv
