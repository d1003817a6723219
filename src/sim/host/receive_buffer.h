// The NIC's receive buffer: packets that have arrived and wait for the NIC, which is slow only when told to be (a fault
// by script) or by the latency of its pipeline. Counts bytes by priority and says when the sender must be paused. Owned
// by Host, which schedules and sends.
#pragma once

#include <array>
#include <cstdint>

#include "sim/fabric/packet.h"
#include "sim/host/host_options.h"

namespace rocelab::sim {

class ReceiveBuffer {
 public:
  bool empty() const { return head_ == nullptr; }
  std::uint32_t bytes() const { return total_; }
  std::uint32_t bytes_of(std::uint8_t priority) const { return bytes_[priority]; }
  const Packet* front() const { return head_; }

  void push(Packet* packet) {
    packet->next = nullptr;
    (head_ == nullptr ? head_ : tail_->next) = packet;
    tail_ = packet;
    total_ += packet->frame_bytes();
    bytes_[packet->priority] += packet->frame_bytes();
  }
  Packet* pop() {
    Packet* packet = head_;
    head_ = packet->next;
    packet->next = nullptr;
    total_ -= packet->frame_bytes();
    bytes_[packet->priority] -= packet->frame_bytes();
    return packet;
  }

  /// Priorities for which the peer has been told to pause.
  std::uint8_t paused_mask = 0;
  /// The drain, when it is limited.
  std::uint64_t rate_bps = 0;       ///< 0: not limited
  std::uint64_t drained_at_ps = 0;  ///< when the packet taken last has been dealt with
  bool scheduled = false;           ///< a kReceive event is on its way
  bool refresh_scheduled = false;   ///< a kPauseRefresh event is on its way

 private:
  Packet* head_ = nullptr;
  Packet* tail_ = nullptr;
  std::uint32_t total_ = 0;
  std::array<std::uint32_t, kPriorities> bytes_{};
};

}  // namespace rocelab::sim
