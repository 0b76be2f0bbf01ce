// Queues for C: those of queue.hpp, of pointers.
#include "guv/queue.hpp"

#include "api/exceptions.hpp"

using guv::Deadline;
using guv::api::make;
using guv::api::without_exceptions;

/// Whichever of them it is.
struct guv_queue {
  virtual ~guv_queue() = default;
  virtual int put(void* item, Deadline deadline) = 0;
  virtual int take(void** item, Deadline deadline) = 0;
  virtual size_t size() const = 0;
  virtual bool is_full() const = 0;
  virtual size_t getters() const = 0;
  virtual size_t putters() const = 0;
  virtual void change_size(std::optional<size_t> maxsize) = 0;
  virtual bool done() = 0;
  virtual int wait_until_done(Deadline deadline) = 0;
};

namespace {

template <class Queue>
struct QueueFor final : guv_queue, Queue {
  using Queue::Queue;

  int put(void* item, Deadline deadline) override { return this->insert(item, deadline); }
  int take(void** item, Deadline deadline) override {
    typename Queue::Getter getter;
    const int error = this->extract(getter, deadline);
    if (!error) *item = *getter.item;
    return error;
  }
  size_t size() const override { return this->qsize(); }
  bool is_full() const override { return this->full(); }
  size_t getters() const override { return this->getting(); }
  size_t putters() const override { return this->putting(); }
  void change_size(std::optional<size_t> maxsize) override { this->resize(maxsize); }
  bool done() override { return this->finish(); }
  int wait_until_done(Deadline deadline) override { return this->wait_until_finished(deadline); }
};

struct Lower {
  int (*compare)(const void*, const void*);
  bool operator()(const void* a, const void* b) const { return compare(a, b) < 0; }
};

std::optional<size_t> size_of(ssize_t maxsize) { return maxsize < 0 ? guv::unbounded : std::optional<size_t>(maxsize); }

/// Who did not want to wait is told to try again.
int at_deadline(int error, int64_t deadline) { return error == -ETIMEDOUT && deadline == 0 ? -EAGAIN : error; }

}  // namespace

extern "C" {

guv_queue* guv_queue_new(ssize_t maxsize) { return make<QueueFor<guv::Queue<void*>>>(size_of(maxsize)); }
guv_queue* guv_lifo_queue_new(ssize_t maxsize) { return make<QueueFor<guv::LifoQueue<void*>>>(size_of(maxsize)); }
guv_queue* guv_priority_queue_new(ssize_t maxsize, int (*compare)(const void*, const void*)) {
  return make<QueueFor<guv::PriorityQueue<void*, Lower>>>(size_of(maxsize), Lower{compare});
}
void guv_queue_free(guv_queue* queue) { delete queue; }

int guv_queue_put(guv_queue* queue, void* item, int64_t deadline) {
  return at_deadline(without_exceptions([=] { return queue->put(item, Deadline::at(deadline)); }), deadline);
}
int guv_queue_get(guv_queue* queue, void** item, int64_t deadline) {
  return at_deadline(queue->take(item, Deadline::at(deadline)), deadline);
}
size_t guv_queue_size(const guv_queue* queue) { return queue->size(); }
int guv_queue_full(const guv_queue* queue) { return queue->is_full(); }
size_t guv_queue_getting(const guv_queue* queue) { return queue->getters(); }
size_t guv_queue_putting(const guv_queue* queue) { return queue->putters(); }
int guv_queue_resize(guv_queue* queue, ssize_t maxsize) {
  return without_exceptions([=] {
    queue->change_size(size_of(maxsize));
    return 0;
  });
}
int guv_queue_task_done(guv_queue* queue) { return queue->done() ? 0 : -EINVAL; }
int guv_queue_join(guv_queue* queue, int64_t deadline) { return queue->wait_until_done(Deadline::at(deadline)); }

}  // extern "C"
