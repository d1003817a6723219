// The QPs that may have something to say, in the order in which they get their turn: an intrusive doubly linked list
// through Qp::link, so that joining, leaving and destroying a QP are O(1) and allocate nothing. Owned by Engine, walked
// by poll_transmit.
#pragma once

#include "rxe/qp.h"

namespace rocelab::rxe {

class ReadyList {
 public:
  bool empty() const { return first_ == nullptr; }
  Qp* front() const { return first_; }
  Qp* back() const { return last_; }
  /// Appends the QP unless it is in the list already.
  void add(Qp& qp) {
    if (qp.link.listed) return;
    qp.link = {last_, nullptr, true};
    (last_ == nullptr ? first_ : last_->link.next) = &qp;
    last_ = &qp;
  }
  void remove(Qp& qp) {
    if (!qp.link.listed) return;
    (qp.link.previous == nullptr ? first_ : qp.link.previous->link.next) = qp.link.next;
    (qp.link.next == nullptr ? last_ : qp.link.next->link.previous) = qp.link.previous;
    qp.link = {};
  }
  /// Its turn is over and there is more to say.
  void move_to_back(Qp& qp) {
    if (last_ == &qp) return;
    remove(qp);
    add(qp);
  }

 private:
  Qp* first_ = nullptr;
  Qp* last_ = nullptr;
};

}  // namespace rocelab::rxe
