// Time-outs: a timer that sends its thread an interrupt.
#include "api/api.hpp"
#include "guv/guv.h"

using namespace guv;

namespace {

// What the program's guv_timeout holds, behind a word that says whether it has been started.
static_assert(sizeof(Timeout) + sizeof(uint64_t) <= sizeof(guv_timeout));

Timeout* started(const guv_timeout* room) {
  return room->opaque[0] ? reinterpret_cast<Timeout*>(const_cast<uint64_t*>(room->opaque) + 1) : nullptr;
}

void strike(Timer& timer) {
  auto& timeout = static_cast<Timeout&>(timer);
  timeout.TimeoutLink::unlink();
  runtime().hub().interrupt(*timeout.thread, timeout.interrupt);
}

}  // namespace

extern "C" {

int guv_timeout_start(guv_timeout* room, int64_t deadline, int error, void (*raise)(void*), void* argument) {
  if (guv_start() != 0 || !self()) return -EPERM;
  if (guv_timeout_pending(room)) return -EBUSY;
  auto* timeout = new (room->opaque + 1) Timeout;
  room->opaque[0] = 1;
  timeout->fire = &strike;
  timeout->thread = self();
  timeout->interrupt.error = -error;
  timeout->interrupt.raise = raise;
  timeout->interrupt.argument = argument;
  if (deadline == GUV_NEVER) return 0;
  const Critical critical;
  self()->timeouts.push_back(timeout);
  runtime().hub().arm(*timeout, Deadline::at(deadline));
  return 0;
}

int guv_timeout_cancel(guv_timeout* room) {
  Timeout* timeout = started(room);
  if (!timeout) return 0;
  const Critical critical;
  const bool pending = timeout->pending();
  runtime().hub().forget(*timeout);
  return pending;
}

int guv_timeout_pending(const guv_timeout* room) {
  const Timeout* timeout = started(room);
  return timeout && timeout->pending();
}

}  // extern "C"
