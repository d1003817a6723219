// See ideal.h.
#include "sim/workload/run/ideal.h"

#include <algorithm>
#include <cassert>

namespace rocelab::sim {

namespace {

__extension__ using Wide = unsigned __int128;
constexpr std::uint16_t kNoPort = 0xffff;

std::uint64_t serialisation_ps(std::uint64_t bytes, std::uint64_t rate_bps) {
  const Wide scaled = Wide{bytes} * 8 * 1'000'000'000'000u;
  return static_cast<std::uint64_t>((scaled + rate_bps - 1) / rate_bps);
}

}  // namespace

PathFinder::PathFinder(const Topology& topology) : topology_(topology), adjacency_(topology) {}

const std::vector<PathLink>& PathFinder::path(std::uint32_t source, std::uint32_t destination) {
  if (source != source_ || destination != destination_) {
    path_ = find(source, destination);
    source_ = source;
    destination_ = destination;
  }
  return path_;
}

std::vector<PathLink> PathFinder::find(std::uint32_t source, std::uint32_t destination) {
  std::vector<PathLink> out;
  if (source == destination) return out;
  const std::uint32_t hosts = topology_.host_count;
  const TopologyPort up = *adjacency_.begin(source);
  const TopologyPort down = *adjacency_.begin(destination);
  const auto add = [&](std::uint32_t link, std::uint32_t to) {
    const TopologyLink& l = topology_.links[link];
    out.push_back({l.rate_bps, static_cast<std::uint64_t>((l.delay + topology_.nodes[to].latency).count_ps())});
  };
  auto [found, made] = towards_.try_emplace(down.peer);
  std::vector<std::uint16_t>& towards = found->second;
  if (made) {
    // Breadth first from the destination's switch, ports in order: the port that leads nearer.
    towards.assign(topology_.switch_count(), kNoPort);
    std::vector<std::uint32_t> queue = {down.peer};
    for (std::size_t i = 0; i < queue.size(); ++i) {
      for (const TopologyPort* port = adjacency_.begin(queue[i]); port != adjacency_.end(queue[i]); ++port) {
        if (topology_.is_host(port->peer) || port->peer == down.peer) continue;
        std::uint16_t& entry = towards[port->peer - hosts];
        if (entry != kNoPort) continue;
        entry = port->peer_port;
        queue.push_back(port->peer);
      }
    }
  }
  add(up.link, up.peer);
  for (std::uint32_t at = up.peer; at != down.peer;) {
    const std::uint16_t port = towards[at - hosts];
    if (port == kNoPort) return {};
    const TopologyPort& next = adjacency_.port(at, port);
    add(next.link, next.peer);
    at = next.peer;
  }
  add(down.link, destination);
  return out;
}

std::uint64_t ideal_arrival_ps(const std::vector<PathLink>& path, std::uint64_t bytes, const PacketShape& shape) {
  const std::uint64_t packets = std::max<std::uint64_t>((bytes + shape.payload_bytes - 1) / shape.payload_bytes, 1);
  const std::uint64_t last_payload = bytes - (packets - 1) * shape.payload_bytes;
  // `done` is when the last packet but one has left a link; the last one follows it or comes later.
  std::uint64_t first = shape.before_ps, last = shape.before_ps;
  std::uint64_t slowest = 0, done = 0;
  for (const PathLink& link : path) {
    const std::uint64_t whole = serialisation_ps(shape.wire_bytes(shape.payload_bytes, false, false), link.rate_bps);
    const std::uint64_t lead = serialisation_ps(
        shape.wire_bytes(packets == 1 ? last_payload : shape.payload_bytes, true, packets == 1), link.rate_bps);
    const std::uint64_t tail = serialisation_ps(shape.wire_bytes(last_payload, packets == 1, true), link.rate_bps);
    slowest = std::max(slowest, whole);
    first += lead;
    done = packets > 1 ? first + (packets - 2) * slowest : 0;
    last = (packets > 1 ? std::max(last, done) : last) + tail;
    first += link.delay_ps;
    last += link.delay_ps;
  }
  return last;
}

std::uint64_t ideal_completion_ps(const std::vector<PathLink>& path, std::uint64_t bytes, const PacketShape& shape) {
  std::uint64_t back = 0;
  for (const PathLink& link : path) back += serialisation_ps(shape.ack_bytes, link.rate_bps) + link.delay_ps;
  return ideal_arrival_ps(path, bytes, shape) + shape.receive_ps + back + shape.after_ps;
}

}  // namespace rocelab::sim
