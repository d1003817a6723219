// The invariants of a switch, checked after (or between) runs.
#include <fmt/format.h>

#include "sim/fabric/switch/switch.h"

namespace rocelab::sim {

base::TextResult<void> Switch::audit() const {
  const SwitchTotals totals = this->totals();
  const std::uint64_t gone = totals.tx_packets + totals.dropped() + totals.queued_packets;
  if (totals.rx_packets != gone) {
    return base::fail_text(fmt::format("switch {}: {} packets came in, but {} left, {} wait and {} were dropped",
                                       index_, totals.rx_packets, totals.tx_packets, totals.queued_packets,
                                       totals.dropped()));
  }
  const std::uint64_t bytes =
      totals.tx_bytes + totals.queued_bytes + totals.rare.dropped_bytes + totals.rare.trimmed_bytes;
  if (totals.rx_bytes != bytes) {
    return base::fail_text(fmt::format("switch {}: {} bytes came in, but {} left, {} wait, {} were dropped and {} cut",
                                       index_, totals.rx_bytes, totals.tx_bytes, totals.queued_bytes,
                                       totals.rare.dropped_bytes, totals.rare.trimmed_bytes));
  }

  // What waits, counted anew from the queues: by egress port, and by the ingress group that was charged.
  std::uint64_t pool_bytes = 0;
  for (unsigned priority = 0; priority < kPriorities; ++priority) {
    if (classes_[priority].queues == nullptr) continue;
    std::vector<std::uint64_t> charged(ports_.size());
    for (std::size_t port = 0; port < ports_.size(); ++port) {
      const EgressQueue& queue = classes_[priority].queues[port];
      std::uint64_t waiting = 0;
      for (const Packet* packet = queue.head; packet != nullptr; packet = packet->next) {
        waiting += packet->frame_bytes();
        charged[packet->ingress_port] += packet->frame_bytes();
      }
      if (waiting != queue.bytes) {
        return base::fail_text(fmt::format("switch {} port {} priority {}: the queue holds {} bytes and counts {}",
                                           index_, port, priority, waiting, queue.bytes));
      }
    }
    if ((profile_.limited >> priority & 1) == 0) continue;
    for (std::size_t port = 0; port < ports_.size(); ++port) {
      const IngressGroup& group = classes_[priority].groups[port];
      pool_bytes += qos::SharedBuffer::shared_part(group.buffer, group.limits);
      if (std::uint64_t{group.buffer.bytes} + group.buffer.headroom_bytes != charged[port]) {
        return base::fail_text(fmt::format("switch {} port {} priority {}: {} bytes wait and {} are charged", index_,
                                           port, priority, charged[port],
                                           group.buffer.bytes + group.buffer.headroom_bytes));
      }
    }
  }
  if (pool_bytes != buffer_.used_bytes()) {
    return base::fail_text(fmt::format("switch {}: the groups take {} bytes of the pool, which counts {}", index_,
                                       pool_bytes, buffer_.used_bytes()));
  }
  const std::uint64_t lossless_drops = totals.rare.drops[static_cast<unsigned>(DropReason::kHeadroom)];
  if (lossless_drops != 0) {
    return base::fail_text(
        fmt::format("switch {}: {} packets of lossless classes were dropped", index_, lossless_drops));
  }
  return {};
}

}  // namespace rocelab::sim
