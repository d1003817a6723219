// How long a message takes alone on the empty network, in closed form: its packets follow one another through a chain
// of store-and-forward links, the acknowledgement of the last one comes back. The divisor of every slowdown. Owned by
// the experiment; asked after the run.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "sim/fabric/topology/topology.h"
#include "sim/kernel/event.h"

namespace rocelab::sim {

/// What packets look like on the wire, preamble, FCS and gap included.
struct PacketShape {
  std::uint32_t payload_bytes = 1024;  ///< of a full packet
  std::uint32_t overhead_bytes = 0;    ///< of a packet in the middle of a message
  std::uint32_t first_bytes = 0;       ///< more than that in the first packet (RETH)
  std::uint32_t last_bytes = 0;        ///< more than that in the last packet (immediate data)
  std::uint32_t ack_bytes = 0;         ///< all of an acknowledgement
  std::uint32_t frame_bytes_min = 0;   ///< no packet is shorter
  std::uint64_t before_ps = 0;         ///< from the request to the first bit
  std::uint64_t receive_ps = 0;        ///< from the last bit at the receiver to the first bit of its acknowledgement
  std::uint64_t after_ps = 0;          ///< from the last bit of the acknowledgement to the completion

  std::uint32_t wire_bytes(std::uint64_t payload, bool first, bool last) const {
    // The payload is padded to four bytes: IBTA vol 1, 9.2 (PadCnt).
    const std::uint64_t bytes =
        ((payload + 3) & ~std::uint64_t{3}) + overhead_bytes + (first ? first_bytes : 0u) + (last ? last_bytes : 0u);
    return bytes < frame_bytes_min ? frame_bytes_min : static_cast<std::uint32_t>(bytes);
  }
};

struct PathLink {
  std::uint64_t rate_bps = 0;
  std::uint64_t delay_ps = 0;  ///< propagation, and the latency of the switch behind it
};

/// The links of one shortest path between two hosts (all shortest paths of the generated fabrics are alike).
class PathFinder {
 public:
  explicit PathFinder(const Topology& topology);
  /// Empty when there is no path. Valid until the next call; the last pair asked for is remembered.
  const std::vector<PathLink>& path(std::uint32_t source, std::uint32_t destination);

 private:
  std::vector<PathLink> find(std::uint32_t source, std::uint32_t destination);

  const Topology& topology_;
  Adjacency adjacency_;
  /// Per destination switch, for every switch the port that leads there; made when first needed.
  std::unordered_map<std::uint32_t, std::vector<std::uint16_t>> towards_;
  std::uint32_t source_ = kNoNode;
  std::uint32_t destination_ = kNoNode;
  std::vector<PathLink> path_;
};

/// From the request at the sender to its completion.
std::uint64_t ideal_completion_ps(const std::vector<PathLink>& path, std::uint64_t bytes, const PacketShape& shape);
/// From the request to the arrival of the last bit at the receiver.
std::uint64_t ideal_arrival_ps(const std::vector<PathLink>& path, std::uint64_t bytes, const PacketShape& shape);

}  // namespace rocelab::sim
