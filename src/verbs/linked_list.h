// A doubly linked list through its members: objects of an ibv_context are found again when it is closed. The list owns
// nothing and is not thread-safe.
#pragma once

namespace rocelab::verbs {

/// Base of what can be in one list of its kind.
template <class T>
struct Linked {
  T* previous = nullptr;
  T* next = nullptr;
};

template <class T>
class LinkedList {
 public:
  T* front() const { return head_; }

  void push_front(T& item) {
    item.Linked<T>::next = head_;
    if (head_ != nullptr) head_->Linked<T>::previous = &item;
    head_ = &item;
  }

  void remove(T& item) {
    Linked<T>& link = item;
    if (link.previous != nullptr) {
      link.previous->Linked<T>::next = link.next;
    } else {
      head_ = link.next;
    }
    if (link.next != nullptr) link.next->Linked<T>::previous = link.previous;
    link = {};
  }

 private:
  T* head_ = nullptr;
};

}  // namespace rocelab::verbs
