// The hub, for programs that have something to do there, and the way off it.
#include <memory>
#include <new>

#include "api/api.hpp"
#include "guv/guv.h"

using namespace guv;

extern "C" {

int guv_call_on_hub(void (*function)(void*), void* argument) {
  if (const int error = guv_start()) return error;
  struct Call : Hub::Post {
    void (*function)(void*);
    void* argument;
  };
  auto* call = new (std::nothrow) Call;
  if (!call) return -ENOMEM;
  call->function = function;
  call->argument = argument;
  call->Post::call = [](Hub::Post& post) {
    const std::unique_ptr<Call> call(static_cast<Call*>(&post));
    call->function(call->argument);
  };
  runtime().hub().post(*call);
  return 0;
}

int guv_offload(void* (*function)(void*), void* argument, void** result) {
  if (api::on_the_loop()) return -EDEADLK;
  void* returned = offload([=] { return function(argument); });
  if (result) *result = returned;
  return 0;
}

struct uv_loop_s* guv_uv_loop(void) { return guv_start() == 0 ? runtime().hub().uv_loop() : nullptr; }

}  // extern "C"
