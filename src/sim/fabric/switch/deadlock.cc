// Deadlocks under PFC are cycles of egress ports, each paused by the switch at its other end, where the packets that
// came in by that link wait at the next port of the cycle. A switch whose port has been paused for long sends a probe
// along that chain: over the link (outside of its traffic, after the link's delay), then out by every paused port that
// holds packets which came in by the link. A probe that comes back to where it began has found a cycle. Only switches
// with a higher id than the one that began pass it on, so each cycle is reported once, by its lowest switch.
//
// (Chandy, Misra and Haas, 1983, for processes; here the "wait for" edges are the packets in the queues.)
#include <algorithm>
#include <cstring>

#include "sim/fabric/switch/pause_watch.h"
#include "sim/fabric/switch/switch.h"

namespace rocelab::sim {
namespace {

constexpr std::size_t kProbePathMax = 256;  ///< ports; longer cycles go unnoticed
constexpr std::size_t kProbesSeenMax = 64;

/// The path so far lies in the probe's bytes: node and port, a word of 64 bits each.
void append(Packet& probe, PortRef ref) {
  const std::uint64_t word = std::uint64_t{ref.node} << 16 | ref.port;
  std::vector<std::byte>& bytes = probe.extra().bytes;
  const std::size_t at = bytes.size();
  bytes.resize(at + sizeof word);
  std::memcpy(bytes.data() + at, &word, sizeof word);
}

std::vector<PortRef> path_of(const Packet& probe) {
  std::vector<PortRef> path;
  const std::vector<std::byte>& bytes = probe.extras->bytes;
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    path.push_back({static_cast<NodeId>(word >> 16), static_cast<std::uint16_t>(word & 0xffff)});
  }
  return path;
}

/// So that a cycle which passes its lowest switch twice is reported once too.
bool begins_with_lowest(const std::vector<PortRef>& cycle) {
  return std::none_of(cycle.begin(), cycle.end(), [&](const PortRef& ref) {
    return ref.node == cycle.front().node && ref.port < cycle.front().port;
  });
}

}  // namespace

void Switch::start_probe(Context& context, SwitchPort& side, unsigned priority) {
  if (!side.port.peer_is_switch()) return;  // hosts hold nobody's packets
  Packet* probe = pools_.at(context.partition()).allocate();
  probe->flags = packet_flag::kControl | packet_flag::kProbe;
  probe->priority = static_cast<std::uint8_t>(priority);
  probe->source = id();
  probe->flow = side.port.number();
  probe->user = ++probes_started_;
  probe->extra().bytes.clear();
  append(*probe, {id(), side.port.number()});
  pass_probe(context, side, probe);
}

void Switch::pass_probe(Context& context, SwitchPort& side, Packet* probe) {
  context.schedule(context.now() + side.port.delay(), side.port.peer(), kProbe, side.port.peer_port(),
                   reinterpret_cast<std::uintptr_t>(probe));
}

bool Switch::holds_packets_of(const SwitchPort& side, unsigned priority, unsigned ingress_port) const {
  if (classes_[priority].queues == nullptr) return false;
  const Packet* packet = classes_[priority].queues[side.port.number()].head;
  while (packet != nullptr && packet->ingress_port != ingress_port) packet = packet->next;
  return packet != nullptr;
}

void Switch::follow_probe(Context& context, unsigned in_port, Packet* probe) {
  const unsigned priority = probe->priority;
  const bool mine = probe->source == id();
  // Each probe passes a switch once per link that it comes in by.
  const std::uint64_t key =
      (std::uint64_t{probe->source} << 40) ^ (probe->user << 16) ^ (std::uint64_t{probe->flow} << 8) ^ in_port;
  const bool seen = std::find(probes_seen_.begin(), probes_seen_.end(), key) != probes_seen_.end();
  const bool pausing = (ports_[in_port].xoff_sent >> priority & 1) != 0;
  const bool short_enough = probe->extras->bytes.size() < kProbePathMax * sizeof(std::uint64_t);
  if (!seen && pausing && short_enough && id() >= probe->source) {
    if (probes_seen_.size() == kProbesSeenMax) probes_seen_.erase(probes_seen_.begin());
    probes_seen_.push_back(key);
    for (SwitchPort& side : ports_) {
      if ((side.port.received_pauses() & side.ready & (1u << priority)) == 0) continue;
      if (!holds_packets_of(side, priority, in_port)) continue;
      if (mine && side.port.number() == probe->flow) {
        PauseWatch& watch = watch_at(side.port.number(), priority);
        std::vector<PortRef> cycle = path_of(*probe);
        if (watch.deadlock_told || !begins_with_lowest(cycle)) continue;
        watch.deadlock_told = true;
        const std::uint64_t lasted_ps = context.now().count_ps() - side.port.pauses()->since_ps[priority];
        find(FindingKind::kDeadlock, context, side, priority, Duration::ps(static_cast<std::int64_t>(lasted_ps)));
        findings_.back().cycle = std::move(cycle);
      } else if (side.port.peer_is_switch()) {
        Packet* copy = pools_.at(context.partition()).allocate();
        copy->flags = probe->flags;
        copy->priority = probe->priority;
        copy->source = probe->source;
        copy->flow = probe->flow;
        copy->user = probe->user;
        copy->extra().bytes = probe->extras->bytes;
        append(*copy, {id(), side.port.number()});
        pass_probe(context, side, copy);
      }
    }
  }
  probe->extra().bytes.clear();
  pools_.at(context.partition()).free(probe);
}

}  // namespace rocelab::sim
