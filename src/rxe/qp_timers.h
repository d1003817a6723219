// The deadlines of one QP: a small table under the device-wide TimerQueue, which holds the earliest of them. Arming is
// a few stores while nothing becomes earlier. Held by value in a QP; fired by Device::handle_timeout.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "rxe/timer_queue.h"

namespace rocelab::rxe {

enum class Deadline : std::uint8_t {
  kAck,         ///< local ACK timeout: nothing has been acknowledged for too long
  kRnr,         ///< the pause that an RNR NAK asked for is over
  kPacing,      ///< congestion control lets the next packet go
  kCongestion,  ///< congestion control's own timer
};
inline constexpr std::size_t kDeadlineCount = 4;

class QpTimers {
 public:
  /// `index` is the QP's in the queue.
  explicit QpTimers(std::uint32_t index) : index_(index) {}

  std::uint32_t index() const { return index_; }
  bool armed(Deadline deadline) const { return (armed_ & bit(deadline)) != 0; }
  base::TimePoint at(Deadline deadline) const { return at_[static_cast<std::size_t>(deadline)]; }

  void arm(TimerQueue& queue, Deadline deadline, base::TimePoint when) {
    at_[static_cast<std::size_t>(deadline)] = when;
    armed_ = static_cast<std::uint8_t>(armed_ | bit(deadline));
    if (armed_ == bit(deadline)) [[likely]] {
      queue.arm(index_, when);
    } else {
      queue.arm(index_, earliest());
    }
  }
  void disarm(TimerQueue& queue, Deadline deadline) {
    if (!armed(deadline)) return;
    armed_ = static_cast<std::uint8_t>(armed_ & ~bit(deadline));
    update(queue);
  }
  void disarm_all(TimerQueue& queue) {
    armed_ = 0;
    queue.disarm(index_);
  }
  /// Disarms and returns one deadline that has come; the queue has forgotten this QP (pop_due), and is told again when
  /// none is left.
  std::optional<Deadline> take_due(TimerQueue& queue, base::TimePoint now) {
    for (std::size_t i = 0; i < kDeadlineCount; ++i) {
      const auto deadline = static_cast<Deadline>(i);
      if (!armed(deadline) || at_[i] > now) continue;
      armed_ = static_cast<std::uint8_t>(armed_ & ~bit(deadline));
      return deadline;
    }
    update(queue);
    return std::nullopt;
  }

 private:
  static constexpr unsigned bit(Deadline deadline) { return 1u << static_cast<unsigned>(deadline); }
  base::TimePoint earliest() const {
    base::TimePoint best;
    bool found = false;
    for (std::size_t i = 0; i < kDeadlineCount; ++i) {
      if (!armed(static_cast<Deadline>(i)) || (found && at_[i] >= best)) continue;
      best = at_[i];
      found = true;
    }
    return best;
  }
  void update(TimerQueue& queue) {
    if (armed_ == 0) {
      queue.disarm(index_);
    } else {
      queue.arm(index_, earliest());
    }
  }

  std::array<base::TimePoint, kDeadlineCount> at_{};
  std::uint32_t index_;
  std::uint8_t armed_ = 0;
};

}  // namespace rocelab::rxe
