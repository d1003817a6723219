// What a switch has counted, put together for its readers.
#include "sim/fabric/switch/counters.h"

#include <fmt/format.h>

#include <string>

#include "sim/fabric/switch/switch.h"

namespace rocelab::sim {
namespace {

constexpr const char* kDropNames[kDropReasons] = {"drops_no_route", "drops_headroom", "drops_buffer", "drops_link_down",
                                                  "drops_pfc_watchdog"};

void add(RareCounters& sum, const RareCounters& counters) {
  for (unsigned i = 0; i < kDropReasons; ++i) sum.drops[i] += counters.drops[i];
  sum.trimmed += counters.trimmed;
  sum.trimmed_bytes += counters.trimmed_bytes;
  sum.dropped_bytes += counters.dropped_bytes;
}

void visit_port(const PortCounters& port, unsigned number, const CounterVisitor& visit) {
  const auto tell = [&](const char* name, std::uint64_t value) {
    if (value != 0) visit(number, name, value);
  };
  tell("rx_packets", port.rx_packets);
  tell("rx_bytes", port.rx_bytes);
  tell("tx_packets", port.tx_packets);
  tell("tx_bytes", port.tx_bytes);
  tell("rx_fcs_errors", port.rx_fcs_errors);
  tell("rx_link_down", port.rx_link_down);
  tell("tx_lost_on_link", port.tx_lost);
  tell("tx_corrupted_on_link", port.tx_corrupted);
  tell("pause_rx", port.pause_rx);
  tell("pause_tx", port.pause_tx);
}

void visit_class(const ClassCounters& counters, unsigned port, unsigned priority, const CounterVisitor& visit) {
  const auto tell = [&](const char* name, std::uint64_t value) {
    if (value != 0) visit(port, fmt::format("{}_prio{}", name, priority), value);
  };
  tell("rx_packets", counters.rx_packets);
  tell("rx_bytes", counters.rx_bytes);
  tell("tx_packets", counters.tx_packets);
  tell("tx_bytes", counters.tx_bytes);
  tell("ecn_marked_packets", counters.ecn_marked);
  tell("queue_watermark_bytes", counters.queue_watermark_bytes);
  tell("ingress_watermark_bytes", counters.ingress_watermark_bytes);
  tell("headroom_watermark_bytes", counters.headroom_watermark_bytes);
  tell("xoff_tx", counters.xoffs);
  tell("xoff_tx_ps", counters.xoff_ps);
  tell("pause_rx", counters.pause_frames_rx);
  tell("paused_ps", counters.paused_ps);
  tell("trimmed_packets", counters.rare.trimmed);
  tell("trimmed_bytes", counters.rare.trimmed_bytes);
  for (unsigned i = 0; i < kDropReasons; ++i) tell(kDropNames[i], counters.rare.drops[i]);
}

}  // namespace

std::uint64_t SwitchTotals::dropped() const {
  std::uint64_t sum = 0;
  for (const std::uint64_t drops : rare.drops) sum += drops;
  return sum;
}

ClassCounters Switch::class_counters(unsigned port, unsigned priority, TimePoint now) const {
  ClassCounters counters;
  const SwitchPort& side = ports_[port];
  if (classes_[priority].queues != nullptr) {
    const EgressQueue& queue = classes_[priority].queues[port];
    counters.tx_packets = queue.tx_packets;
    counters.tx_bytes = queue.tx_bytes;
    counters.ecn_marked = queue.ecn_marked;
    counters.queue_watermark_bytes = queue.watermark_bytes;
    const IngressGroup& group = classes_[priority].groups[port];
    counters.rx_packets = group.rx_packets;
    counters.rx_bytes = group.rx_bytes;
    counters.ingress_watermark_bytes = group.watermark_bytes;
    counters.headroom_watermark_bytes = group.headroom_watermark_bytes;
  }
  if (const PauseState* pauses = side.port.pauses(); pauses != nullptr) {
    counters.pause_frames_rx = pauses->frames_rx[priority];
    counters.paused_ps = side.port.paused_ps(static_cast<std::uint8_t>(priority), now);
  }
  if (!rare_.empty()) {
    counters.rare = rare_[port * kPriorities + priority];
    counters.xoffs = counters.rare.xoffs;
    const bool pausing = (side.xoff_sent >> priority & 1) != 0;
    counters.xoff_ps = counters.rare.xoff_total_ps + (pausing ? now.count_ps() - counters.rare.xoff_since_ps : 0);
  }
  return counters;
}

SwitchTotals Switch::totals() const {
  SwitchTotals totals;
  for (unsigned priority = 0; priority < kPriorities; ++priority) {
    if (classes_[priority].queues == nullptr) continue;
    for (std::size_t port = 0; port < ports_.size(); ++port) {
      const EgressQueue& queue = classes_[priority].queues[port];
      const IngressGroup& group = classes_[priority].groups[port];
      totals.rx_packets += group.rx_packets;
      totals.rx_bytes += group.rx_bytes;
      totals.tx_packets += queue.tx_packets;
      totals.tx_bytes += queue.tx_bytes;
      totals.ecn_marked += queue.ecn_marked;
      totals.queued_packets += queue.packets;
      totals.queued_bytes += queue.bytes;
    }
  }
  for (const RareCounters& counters : rare_) {
    add(totals.rare, counters);
    totals.xoffs += counters.xoffs;
  }
  return totals;
}

std::uint64_t Switch::queued_bytes() const {
  std::uint64_t sum = 0;
  for (const SwitchPort& side : ports_) sum += side.queued_bytes;
  return sum;
}

std::uint32_t Switch::queue_bytes(unsigned port, unsigned priority) const {
  return classes_[priority].queues == nullptr ? 0 : classes_[priority].queues[port].bytes;
}

void for_each_counter(const Switch& node, TimePoint now, const CounterVisitor& visit) {
  for (unsigned port = 0; port < node.port_count(); ++port) {
    visit_port(node.port(port).counters(), port, visit);
    for (unsigned priority = 0; priority < kPriorities; ++priority) {
      visit_class(node.class_counters(port, priority, now), port, priority, visit);
    }
  }
}

}  // namespace rocelab::sim
