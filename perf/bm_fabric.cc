// The cost of a packet-hop without any host's engine: stub hosts keep packets going round a fabric, the switches do
// everything that they do in a run (accounting, thresholds, marking, scheduling). `hop` is CPU time per packet and
// link. Fat trees of three sizes show what happens when the fabric's state leaves the caches.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/rng.h"
#include "sim/fabric/routing/routing.h"
#include "sim/fabric/switch/switch.h"
#include "sim/fabric/topology/generators.h"
#include "sim/kernel/simulation.h"

namespace {

using namespace rocelab;
using namespace rocelab::sim;

constexpr std::uint32_t kPayloadBytes = 4096;
constexpr std::uint32_t kHeaderBytes = 62 + kEthernetGapBytes;

/// Sends packets of one flow: a fixed number to begin with, then one for each that arrives here.
class Turner final : public Node {
 public:
  enum Kind : std::uint16_t { kStart = event_kind::kFirstOfNode };
  explicit Turner(PacketPools& pools) : pools_(pools) {}

  Port port;
  NodeId destination = kNoNode;
  std::uint32_t flow_hash = 0;
  unsigned owed = 0;  ///< packets to send now
  std::uint64_t arrived_hops = 0;

  void handle_event(Context& context, const Event& event) override {
    Source source{*this};
    switch (event.kind) {
      case event_kind::kArrival: {
        auto* packet = reinterpret_cast<Packet*>(static_cast<std::uintptr_t>(event.argument));
        if (port.accept(context, packet, source, pools_) != Port::Arrival::kPacket) return;
        arrived_hops += packet->hops + 1u;
        pools_.at(context.partition()).free(packet);
        ++owed;
        port.kick(context, source);
        break;
      }
      case event_kind::kPortFree:
        port.handle_free(context, source);
        break;
      case event_kind::kPauseExpired:
        port.handle_pause_expired(context, source);
        break;
      case kStart:
        owed = static_cast<unsigned>(event.argument);
        port.kick(context, source);
        break;
      default:
        break;
    }
  }

 private:
  struct Source {
    Turner& host;
    Packet* next(Context& context, std::uint8_t paused_mask) {
      return has_more(paused_mask) ? host.make(context) : nullptr;
    }
    bool has_more(std::uint8_t paused_mask) const { return host.owed != 0 && (paused_mask & 8) == 0; }
    const Packet* upcoming() const { return nullptr; }
  };

  Packet* make(Context& context) {
    --owed;
    Packet* packet = pools_.at(context.partition()).allocate();
    packet->source = id();
    packet->destination = destination;
    packet->payload_bytes = kPayloadBytes;
    packet->wire_bytes = kPayloadBytes + kHeaderBytes;
    packet->priority = 3;
    packet->flags = packet_flag::kData;
    packet->ecn = Ecn::kCapable0;
    packet->flow_hash = flow_hash;
    return packet;
  }

  PacketPools& pools_;
};

SwitchProfile profile() {
  SwitchOptions options;
  options.classes[3].kind = ClassKind::kLossless;
  options.buffer_bytes = 64u << 20;
  options.ecn = {{100'000'000'000, {100'000, 400'000, 200'000}}};
  return SwitchProfile::make(options).value();
}

std::vector<RoutingEpoch> tables(const RoutingMap& map) {
  std::vector<RoutingEpoch> epochs(1);
  const std::vector<bool> all_up(map.topology.links.size());
  epochs[0].tables = compute_tables(map, all_up, resolve_paths(map.topology, RoutingPaths::kAuto), {}, nullptr);
  return epochs;
}

class Carousel {
 public:
  explicit Carousel(const Topology& topology)
      : topology_(topology), map_(topology_), profile_(profile()), routing_(map_, {}, tables(map_)) {
    for (std::uint32_t i = 0; i < topology_.host_count; ++i) {
      hosts_.push_back(std::make_unique<Turner>(pools_));
      simulation_.add(*hosts_.back());
    }
    for (std::uint32_t i = 0; i < topology_.switch_count(); ++i) {
      const unsigned ports = map_.adjacency.port_count(topology_.host_count + i);
      switches_.push_back(std::make_unique<Switch>(profile_, i, ports, routing_, pools_, 1));
      simulation_.add(*switches_.back());
    }
    for (const TopologyLink& link : topology_.links) {
      simulation_.connect(link.a, link.b, link.delay);
      attach(link, link.a, link.a_port, link.b, link.b_port);
      attach(link, link.b, link.b_port, link.a, link.a_port);
    }
    for (const auto& node : switches_) {
      if (!node->finish_setup()) std::abort();
    }
  }

  /// Pairs of hosts exchange packets, `window` under way in each direction.
  void pair_up(unsigned window) {
    base::Rng rng(1, "pairs");
    std::vector<NodeId> order(hosts_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<NodeId>(i);
    for (std::size_t i = order.size(); i-- > 1;) std::swap(order[i], order[rng.below(i + 1)]);
    for (std::size_t i = 0; i < order.size(); ++i) {
      Turner& host = *hosts_[order[i]];
      host.destination = order[i ^ 1];
      host.flow_hash = static_cast<std::uint32_t>(rng.next());
      simulation_.schedule_initial(TimePoint::from_ps(rng.below(10'000'000)), order[i], Turner::kStart, 0, window);
    }
  }

  void run(Duration time) {
    until_ = until_ + time;
    events_ = simulation_.run(until_, RunOptions{}).events;
  }
  std::uint64_t events() const { return events_; }
  std::uint64_t hops() const {
    std::uint64_t sum = 0;
    for (const auto& host : hosts_) sum += host->arrived_hops;
    return sum;
  }

 private:
  void attach(const TopologyLink& link, NodeId node, std::uint16_t port, NodeId peer, std::uint16_t peer_port) {
    const PortOptions end{node, peer, peer_port, port, link.rate_bps, link.delay, !topology_.is_host(peer)};
    if (topology_.is_host(node)) {
      hosts_[node]->port.attach(end);
    } else {
      switches_[node - topology_.host_count]->attach(port, end);
    }
  }

  Topology topology_;
  RoutingMap map_;
  SwitchProfile profile_;
  PacketPools pools_;
  Routing routing_;
  Simulation simulation_;
  std::vector<std::unique_ptr<Turner>> hosts_;
  std::vector<std::unique_ptr<Switch>> switches_;
  TimePoint until_;
  std::uint64_t events_ = 0;
};

void turn(benchmark::State& state, const Topology& topology, unsigned window, Duration step) {
  Carousel carousel(topology);
  carousel.pair_up(window);
  carousel.run(Duration::us(30));
  const std::uint64_t hops_before = carousel.hops();
  const std::uint64_t events_before = carousel.events();
  for (auto _ : state) carousel.run(step);
  const auto hops = static_cast<double>(carousel.hops() - hops_before);
  state.counters["hop"] = benchmark::Counter(hops, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["hops/s"] = benchmark::Counter(hops, benchmark::Counter::kIsRate);
  state.counters["events/hop"] = static_cast<double>(carousel.events() - events_before) / hops;
}

/// Two hosts at one switch, one packet each way: nothing ever waits.
void BM_hop_alone(benchmark::State& state) {
  turn(state, single_switch(SingleSwitchOptions{}).value(), 1, Duration::us(100));
}
BENCHMARK(BM_hop_alone);

/// The same with queues.
void BM_hop_queued(benchmark::State& state) {
  turn(state, single_switch(SingleSwitchOptions{}).value(), 64, Duration::us(100));
}
BENCHMARK(BM_hop_queued);

/// A random pairing in a three-tier fat tree: k = 8, 16, 32 are 128, 1,024 and 8,192 hosts.
void BM_hop_fat_tree(benchmark::State& state) {
  FatTreeOptions options;
  options.k = static_cast<std::uint32_t>(state.range(0));
  turn(state, fat_tree(options).value(), 16, Duration::us(5));
}
BENCHMARK(BM_hop_fat_tree)->Arg(8)->Arg(16)->Arg(32)->Unit(benchmark::kMillisecond);

}  // namespace
