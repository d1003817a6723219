// The QPs that may have something to say, in the order in which they get their turn: intrusive doubly linked lists
// through a ReadyLink of the QP, so that joining, leaving and destroying a QP are O(1) and allocate nothing. One list a
// priority, so that QPs of a paused priority cost nothing, and one for QPs whose responder has an ACK, NAK or CNP to
// send in a priority of its own. Owned by Engine, walked by poll_transmit.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "rxe/qp.h"

namespace rocelab::rxe {

template <ReadyLink Qp::*Link>
class ReadyList {
 public:
  bool empty() const { return first_ == nullptr; }
  Qp* front() const { return first_; }
  /// Appends the QP unless it is in the list already.
  void add(Qp& qp) {
    ReadyLink& link = qp.*Link;
    if (link.listed) return;
    link.previous = last_;
    link.next = nullptr;
    link.listed = true;
    (last_ == nullptr ? first_ : (last_->*Link).next) = &qp;
    last_ = &qp;
  }
  void remove(Qp& qp) {
    ReadyLink& link = qp.*Link;
    if (!link.listed) return;
    (link.previous == nullptr ? first_ : (link.previous->*Link).next) = link.next;
    (link.next == nullptr ? last_ : (link.next->*Link).previous) = link.previous;
    link.previous = link.next = nullptr;
    link.listed = false;
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

class ReadyLists {
 public:
  using Mask = std::uint8_t;  ///< a bit a priority
  using List = ReadyList<&Qp::link>;
  using ControlList = ReadyList<&Qp::control_link>;
  static constexpr unsigned kPriorities = 8;

  /// Which priorities have QPs.
  Mask waiting() const { return waiting_; }
  /// The QP whose turn is next among the priorities of `open`, none of which is empty.
  Qp& front(Mask open) const { return *lists_[priority(open)].front(); }
  Qp* front_of(unsigned priority) const { return lists_[priority].front(); }
  void add(Qp& qp) {
    if (qp.link.listed) return;
    lists_[qp.priority].add(qp);
    waiting_ = static_cast<Mask>(waiting_ | bit(qp));
  }
  void remove(Qp& qp) {
    lists_[qp.priority].remove(qp);
    if (lists_[qp.priority].empty()) waiting_ = static_cast<Mask>(waiting_ & ~bit(qp));
  }
  /// Its turn is over and there is more to say; the next priority's turn comes.
  void move_to_back(Qp& qp) {
    lists_[qp.priority].move_to_back(qp);
    turn_ = qp.priority + 1u;
  }
  /// Puts the QP into another priority's list, in which it keeps no place.
  void set_priority(Qp& qp, std::uint8_t priority) {
    const bool listed = qp.link.listed;
    if (listed) remove(qp);
    qp.priority = priority;
    if (listed) add(qp);
  }

  ControlList control;

 private:
  static unsigned bit(const Qp& qp) { return 1u << qp.priority; }
  /// The first of `open` from turn_ on, around.
  unsigned priority(Mask open) const {
    const unsigned later = static_cast<unsigned>(open) >> turn_ << turn_;
    return static_cast<unsigned>(std::countr_zero(later != 0 ? later : static_cast<unsigned>(open)));
  }

  std::array<List, kPriorities> lists_;
  Mask waiting_ = 0;
  unsigned turn_ = 0;  ///< where the search for the next priority begins, 0..8
};

}  // namespace rocelab::rxe
