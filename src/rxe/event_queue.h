// Completion notifications and asynchronous events on their way to the owner (Device::poll_event), oldest first.
// Nothing is ever dropped: arming a CQ (a verbs call) reserves the place that its notification will need, so that a
// push from the data path finds room; asynchronous events are rare and may grow the ring. Not thread-safe.
#pragma once

#include <cstddef>
#include <optional>

#include "rxe/fixed_ring.h"
#include "rxe/types.h"

namespace rocelab::rxe {

class EventQueue {
 public:
  static constexpr std::size_t kInitialCapacity = 16;

  EventQueue() : ring_(kInitialCapacity) {}

  /// Guarantees room for one more completion notification; called when a CQ is armed.
  void reserve_notification() {
    ++reserved_;
    if (ring_.size() + reserved_ > ring_.capacity()) ring_.resize(2 * ring_.capacity());
  }
  /// The reserved place is not needed after all (an armed CQ is destroyed).
  void cancel_notification() { --reserved_; }
  /// Uses a reserved place: never allocates.
  void push_notification(void* user) {
    --reserved_;
    ring_.push({EventType::kCompletion, user});
  }
  /// An asynchronous event.
  void push(EventType type, void* user) {
    if (ring_.size() + reserved_ >= ring_.capacity()) ring_.resize(2 * ring_.capacity());
    ring_.push({type, user});
  }

  bool empty() const { return ring_.empty(); }
  std::size_t size() const { return ring_.size(); }
  std::optional<Event> pop() {
    if (ring_.empty()) return std::nullopt;
    const Event event = ring_.front();
    ring_.pop();
    return event;
  }
  /// Drops the events of an object that is being destroyed: nobody must see its user pointer afterwards.
  void forget(const void* user) {
    const std::size_t count = ring_.size();
    for (std::size_t i = 0; i < count; ++i) {
      const Event event = ring_.front();
      ring_.pop();
      if (event.user != user || user == nullptr) ring_.push(event);
    }
  }

 private:
  FixedRing<Event> ring_;
  std::size_t reserved_ = 0;  ///< notifications promised to armed CQs
};

}  // namespace rocelab::rxe
