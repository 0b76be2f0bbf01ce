#pragma once

#include <cstddef>

namespace guv {

/// A link of an intrusive, circular, doubly linked list. An unlinked node points to itself.
struct ListNode {
  ListNode* next = this;
  ListNode* previous = this;

  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;

  bool linked() const { return next != this; }
  void insert_before(ListNode* place) {
    next = place;
    previous = place->previous;
    place->previous->next = this;
    place->previous = this;
  }
  void unlink() {
    next->previous = previous;
    previous->next = next;
    next = previous = this;
  }
  /// Forgets a list that is gone.
  void reset() { next = previous = this; }
};

/// A list of T, where T derives from ListNode (possibly by way of a `Tag`ged base). The list owns nothing.
template <class T, class Node = ListNode>
class List {
 public:
  bool empty() const { return !head_.linked(); }
  T* front() { return empty() ? nullptr : to_item(head_.next); }
  T* back() { return empty() ? nullptr : to_item(head_.previous); }
  void push_back(T* item) { to_node(item)->insert_before(&head_); }
  void push_front(T* item) { to_node(item)->insert_before(head_.next); }
  T* pop_front() {
    T* item = front();
    if (item) to_node(item)->unlink();
    return item;
  }
  T* next(T* item) {
    ListNode* node = to_node(item)->next;
    return node == &head_ ? nullptr : to_item(node);
  }
  void remove(T* item) { to_node(item)->unlink(); }
  /// Forgets all items without touching them (after fork, when they belong to threads that are gone).
  void abandon() { head_.next = head_.previous = &head_; }
  /// Moves all of `other` to this list's end.
  void take(List& other) {
    while (T* item = other.pop_front()) push_back(item);
  }

 private:
  static T* to_item(ListNode* node) { return static_cast<T*>(static_cast<Node*>(node)); }
  static ListNode* to_node(T* item) { return static_cast<Node*>(item); }
  ListNode head_;
};

}  // namespace guv
