// A fabric as plain data: hosts, switches and the links between them, with names and places for drawing. Generators
// (generators.h) and importers make one, routing computes tables from it, fabric.h builds nodes and ports from it. It
// is a value that nobody changes once a run has started, so every thread may read it.
//
// A node is named by its index: hosts are 0..H-1, switches H..H+S-1. The same numbers are the NodeIds of the
// simulation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace rocelab::sim {

inline constexpr std::uint32_t kNoFileId = ~0u;
inline constexpr std::uint16_t kPortsMax = 0x7fff;     ///< of one node; routing entries keep a bit for themselves
inline constexpr std::uint32_t kHostsMax = 1u << 20;   ///< an address is 10.x.y.z
inline constexpr std::uint32_t kSwitchesMax = 0xfffe;  ///< routing tables name an edge switch in 16 bits
inline constexpr std::uint64_t kRateMaxBps = 100'000'000'000'000;
inline constexpr base::Duration kDelayMax = base::Duration::s(1);

struct TopologyNode {
  std::string name;                   ///< "host3", "leaf1": unique
  std::uint8_t tier = 0;              ///< hosts 0; their switches 1; above them 2 and so on
  std::uint32_t group = 0;            ///< pod, dragonfly group, server, torus row: what is drawn together
  std::int32_t x = 0;                 ///< place in the drawing; hosts side by side are 1000 apart
  std::int32_t y = 0;                 ///< grows upwards; tiers are 1000 apart or more
  std::uint32_t file_id = kNoFileId;  ///< what an imported file calls it
  base::Duration latency;             ///< switches: from arrival of a packet to the egress queue
};

/// A full-duplex link. Both directions have the same rate, delay and error rates.
struct TopologyLink {
  std::uint32_t a = 0;  ///< node index
  std::uint32_t b = 0;
  std::uint16_t a_port = 0;  ///< which of a's ports, dense from 0
  std::uint16_t b_port = 0;
  std::uint64_t rate_bps = 0;
  base::Duration delay;              ///< propagation
  std::uint64_t packet_loss_e9 = 0;  ///< packets lost of 10^9, whatever their size
  std::uint64_t bit_error_e18 = 0;   ///< bits flipped of 10^18: 10^6 is a bit error rate of 1e-12
};

struct Topology {
  std::string kind;  ///< "fat_tree", "torus", "file": for results and messages
  std::uint32_t host_count = 0;
  std::vector<TopologyNode> nodes;  ///< hosts, then switches
  std::vector<TopologyLink> links;
  /// Coordinates per dimension of a torus (2 or 3 sizes), empty otherwise: routing in order of dimensions wants it.
  std::vector<std::uint32_t> torus;

  std::uint32_t node_count() const { return static_cast<std::uint32_t>(nodes.size()); }
  std::uint32_t switch_count() const { return node_count() - host_count; }
  bool is_host(std::uint32_t node) const { return node < host_count; }
  const TopologyNode& switch_at(std::uint32_t index) const { return nodes[host_count + index]; }
};

/// One end of a link as seen from a node.
struct TopologyPort {
  std::uint32_t link = 0;  ///< index into Topology::links
  std::uint32_t peer = 0;  ///< node index
  std::uint16_t peer_port = 0;
};

/// The ports of every node in order, made once from a valid topology.
class Adjacency {
 public:
  explicit Adjacency(const Topology& topology);
  std::uint32_t port_count(std::uint32_t node) const { return first_[node + 1] - first_[node]; }
  const TopologyPort& port(std::uint32_t node, std::uint32_t port) const { return ports_[first_[node] + port]; }
  const TopologyPort* begin(std::uint32_t node) const { return ports_.data() + first_[node]; }
  const TopologyPort* end(std::uint32_t node) const { return ports_.data() + first_[node + 1]; }

 private:
  std::vector<std::uint32_t> first_;  ///< node -> its first port in ports_
  std::vector<TopologyPort> ports_;
};

/// What is wrong with the parameters of a topology: the key to blame (as in the scenario file: "k", "rate") and a
/// sentence. The reader of the scenario adds file and line.
struct TopologyError {
  std::string key;
  std::string what;
};

template <class T>
using TopologyResult = tl::expected<T, TopologyError>;

/// Adds a link at the next free port of both nodes (`next_port` has one entry a node).
void add_link(Topology& topology, std::vector<std::uint16_t>& next_port, const TopologyLink& link);

/// Everything that a run relies on: indices in range, ports dense and used once, rates and delays possible, names
/// unique, each host with exactly one link, and that to a switch, every pair of hosts connected.
TopologyResult<void> validate(const Topology& topology);

/// Finds nodes by what people call them. Refers to the topology, which must outlive it.
class NodeNames {
 public:
  explicit NodeNames(const Topology& topology);
  /// By name ("host3"), or by number when `text` is digits only: the imported file's id if there was a file, the node
  /// index otherwise.
  std::optional<std::uint32_t> find(std::string_view text) const;
  std::optional<std::uint32_t> find_number(std::uint64_t number) const;

 private:
  const Topology& topology_;
  std::vector<std::uint32_t> by_name_;
  std::vector<std::uint32_t> by_file_id_;  ///< empty when the topology is not from a file with ids
};

}  // namespace rocelab::sim
