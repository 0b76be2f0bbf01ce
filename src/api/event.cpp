// Events for C: those of event.hpp, sending a pointer or an error.
#include "guv/event.hpp"

#include <bit>

#include "api/exceptions.hpp"

using guv::Deadline;
using guv::LinkId;
using guv::api::make;
using guv::api::without_exceptions;

namespace {

struct Reply {
  void* value;
  int error;
};
using Outcome = guv::detail::Outcome<Reply>;

int give(Outcome& outcome, Reply reply) { return outcome.give_value(reply) ? 0 : -EALREADY; }

int take(Outcome& outcome, void** value, int64_t deadline) {
  if (const int error = outcome.wait(Deadline::at(deadline))) return error;
  const Reply& reply = *outcome.value();
  if (value && !reply.error) *value = reply.value;
  return reply.error;
}

static_assert(sizeof(LinkId) == sizeof(guv_link_id));

template <class Handle>
int rawlink(Handle* handle, void (*function)(Handle*, void*), void* argument, guv_link_id* link) {
  return without_exceptions([=] {
    const LinkId id = handle->rawlink([=](auto&) { function(handle, argument); });
    if (link) *link = std::bit_cast<guv_link_id>(id);
    return 0;
  });
}

}  // namespace

struct guv_event : guv::Event<Reply> {
  using Event::current;
};

struct guv_tevent : guv::TEvent {
  using TEvent::wait_until_set;
};

struct guv_async_result : guv::AsyncResult<Reply> {
  Outcome& outcome() const { return state().outcome; }
  int give(Reply reply) {
    return without_exceptions(
        [&] { return AsyncResult::give([&](Outcome& outcome) { return outcome.give_value(reply); }) ? 0 : -EALREADY; });
  }
  int error() const { return ready() ? outcome().value()->error : 0; }
};

extern "C" {

guv_event* guv_event_new(void) { return make<guv_event>(); }
void guv_event_free(guv_event* event) { delete event; }
int guv_event_send(guv_event* event, void* value) { return give(*event->current(), {value, 0}); }
int guv_event_send_error(guv_event* event, int error) { return give(*event->current(), {nullptr, error}); }
int guv_event_wait(guv_event* event, void** value, int64_t deadline) {
  // The event may be reset or freed meanwhile.
  const auto outcome = event->current();
  return take(*outcome, value, deadline);
}
int guv_event_ready(const guv_event* event) { return event->ready(); }
int guv_event_reset(guv_event* event) {
  return without_exceptions([=] {
    event->reset();
    return 0;
  });
}

guv_tevent* guv_tevent_new(void) { return make<guv_tevent>(); }
void guv_tevent_free(guv_tevent* event) { delete event; }
int guv_tevent_set(guv_tevent* event) {
  return without_exceptions([=] {
    event->set();
    return 0;
  });
}
void guv_tevent_clear(guv_tevent* event) { event->clear(); }
int guv_tevent_is_set(const guv_tevent* event) { return event->is_set(); }
int guv_tevent_wait(guv_tevent* event, int64_t deadline) { return event->wait_until_set(Deadline::at(deadline)); }
int guv_tevent_rawlink(guv_tevent* event, void (*function)(guv_tevent*, void*), void* argument, guv_link_id* link) {
  return rawlink(event, function, argument, link);
}
int guv_tevent_unlink(guv_tevent* event, guv_link_id link) { return event->unlink(std::bit_cast<LinkId>(link)); }

guv_async_result* guv_async_result_new(void) { return make<guv_async_result>(); }
void guv_async_result_free(guv_async_result* result) { delete result; }
int guv_async_result_set(guv_async_result* result, void* value) { return result->give({value, 0}); }
int guv_async_result_set_error(guv_async_result* result, int error) { return result->give({nullptr, error}); }
void guv_async_result_take(guv_thread* thread, void* result) {
  Reply reply{};
  reply.error = guv_thread_wait(thread, &reply.value, 0);
  static_cast<guv_async_result*>(result)->give(reply);
}
int guv_async_result_get(guv_async_result* result, void** value, int64_t deadline) {
  return take(result->outcome(), value, deadline);
}
int guv_async_result_wait(guv_async_result* result, int64_t deadline) {
  return result->outcome().wait(Deadline::at(deadline));
}
int guv_async_result_ready(const guv_async_result* result) { return result->ready(); }
int guv_async_result_successful(const guv_async_result* result) { return result->ready() && !result->error(); }
int guv_async_result_error(const guv_async_result* result) { return result->error(); }
int guv_async_result_rawlink(guv_async_result* result, void (*function)(guv_async_result*, void*), void* argument,
                             guv_link_id* link) {
  return rawlink(result, function, argument, link);
}
int guv_async_result_unlink(guv_async_result* result, guv_link_id link) {
  return result->unlink(std::bit_cast<LinkId>(link));
}

}  // extern "C"
