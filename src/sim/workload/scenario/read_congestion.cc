// [transport.dcqcn], [transport.hpcc], [transport.timely], [transport.swift]: parameters of congestion control. The
// defaults and their sources are in rxe/congestion/parameters.h.
#include <algorithm>

#include "sim/workload/run/ideal.h"
#include "sim/workload/scenario/readers.h"

namespace rocelab::sim {

namespace {

constexpr std::uint64_t kTimeMax = 1'000'000'000'000;  // a second
constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 40;
constexpr std::uint32_t kWindowPackets = 1u
                                         << 16;  // congestion control and the path decide, not the engine's own limit
constexpr std::uint32_t kReorderPackets = 64;    // ours: more than the spread of paths of a fat tree at moderate load

void read_time(Section& section, std::string_view key, base::Duration& out, std::uint64_t min = 1) {
  auto ps = static_cast<std::uint64_t>(out.count_ps());
  section.time(key, ps, {min, kTimeMax});
  out = base::Duration::ps(static_cast<std::int64_t>(ps));
}

/// A share as a decimal, in thousandths inside.
void read_permille(Section& section, std::string_view key, std::uint32_t& out, std::uint64_t min = 0,
                   std::uint64_t max = 1000) {
  std::uint64_t value = out;
  section.decimal(key, value, 3, {min, max});
  out = static_cast<std::uint32_t>(value);
}

void read_dcqcn(Section section, rxe::DcqcnParameters& p) {
  bool simulator = false;
  section.choose<bool>("preset", simulator, {{"sigcomm15", false}, {"hpcc_simulator", true}});
  if (simulator) p = rxe::DcqcnParameters::hpcc_simulator();
  section.small("gain_shift", p.gain_shift, {1, 16});
  read_time(section, "alpha_interval", p.alpha_interval);
  read_time(section, "increase_interval", p.increase_interval);
  section.bytes("increase_bytes", p.increase_bytes, {0, kBytesMax});
  section.small("fast_recovery_steps", p.fast_recovery_steps, {1, 1000});
  section.rate("additive_increase", p.additive_increase_bits_per_s);
  section.rate("hyper_increase", p.hyper_increase_bits_per_s);
  section.rate("rate_min", p.rate_min_bits_per_s);
  read_time(section, "decrease_interval_min", p.decrease_interval_min, 0);
  section.boolean("clamp_target", p.clamp_target);
  section.boolean("clocked", p.clocked);
  section.finish();
}

void read_hpcc(Section section, rxe::HpccParameters& p) {
  read_permille(section, "target_utilization", p.target_utilization_permille, 1);
  section.small("stage_max", p.stage_max, {0, 1000});
  section.rate("additive_increase", p.additive_increase_bits_per_s);
  section.rate("rate_min", p.rate_min_bits_per_s);
  section.finish();
}

void read_timely(Section section, rxe::TimelyParameters& p) {
  read_time(section, "rtt_low", p.rtt_low);
  read_time(section, "rtt_high", p.rtt_high);
  read_time(section, "rtt_min", p.rtt_min);
  section.rate("additive_increase", p.additive_increase_bits_per_s);
  read_permille(section, "smoothing", p.smoothing_permille, 1);
  read_permille(section, "decrease", p.decrease_permille, 1);
  section.small("hyper_increase_after", p.hyper_increase_after, {1, 1000});
  section.rate("rate_min", p.rate_min_bits_per_s);
  section.small("segment", p.segment_bytes, {256, 1u << 30});
  if (p.rtt_high < p.rtt_low) section.fail("rtt_high", "must not be less than `rtt_low`");
  section.finish();
}

void read_swift(Section section, rxe::SwiftParameters& p) {
  read_time(section, "base_target", p.base_target);
  read_time(section, "hop_target", p.hop_target, 0);
  section.small("hops", p.hops, {0, 64});
  read_time(section, "flow_scaling_range", p.flow_scaling_range, 0);
  constexpr std::uint64_t kWindowMax = 100'000'000;  // thousandths of a packet
  read_permille(section, "flow_scaling_min", p.flow_scaling_min_milli, 1, kWindowMax);
  read_permille(section, "flow_scaling_max", p.flow_scaling_max_milli, 1, kWindowMax);
  read_permille(section, "additive_increase", p.additive_increase_milli, 1, kWindowMax);
  read_permille(section, "decrease", p.decrease_permille, 1);
  read_permille(section, "decrease_max", p.decrease_max_permille, 1);
  read_permille(section, "window_min", p.window_min_milli, 1, kWindowMax);
  section.small("retransmits_to_reset", p.retransmits_to_reset, {1, 1000});
  if (p.flow_scaling_max_milli < p.flow_scaling_min_milli) {
    section.fail("flow_scaling_max", "must not be less than `flow_scaling_min`");
  }
  section.finish();
}

struct Longest {
  base::Duration rtt;
  std::uint32_t switches = 0;
};

/// The longest way there and back of a full packet on the empty network, from the first and the last host to all
/// others.
Longest longest_path(const Topology& topology, std::uint32_t packet_bytes) {
  PathFinder finder(topology);
  PacketShape shape;
  shape.payload_bytes = packet_bytes;
  shape.ack_bytes = packet_bytes;
  std::uint64_t longest = 1;
  std::size_t links = 1;
  for (std::uint32_t h = 0; h < topology.host_count; ++h) {
    for (const std::uint32_t from : {0u, topology.host_count - 1}) {
      if (from == h) continue;
      const std::vector<PathLink>& path = finder.path(from, h);
      longest = std::max(longest, ideal_completion_ps(path, packet_bytes, shape));
      links = std::max(links, path.size());
    }
  }
  return {base::Duration::ps(static_cast<std::int64_t>(longest)), static_cast<std::uint32_t>(links - 1)};
}

/// IRN's BDP-FC: as many packets in flight as the longest path of the fastest host holds.
std::uint32_t packets_on_the_way(const Scenario& scenario, base::Duration rtt, std::uint64_t packet_bytes) {
  std::uint64_t rate = 0;
  for (const TopologyLink& link : scenario.topology.links) {
    if (scenario.topology.is_host(link.a) || scenario.topology.is_host(link.b)) rate = std::max(rate, link.rate_bps);
  }
  __extension__ using Wide = unsigned __int128;
  const Wide bytes = Wide{static_cast<std::uint64_t>(rtt.count_ps())} * rate / 8 / 1'000'000'000'000u;
  return static_cast<std::uint32_t>(std::clamp<Wide>(bytes / packet_bytes + 1, 1, kWindowPackets));
}

void read_recovery(Section& transport, Scenario& out) {
  rxe::DeviceOptions& engine = out.hosts.engine;
  // Where packets overtake each other, go-back-N takes every overtaking for a loss.
  const bool by_packet =
      out.reps || out.routing.policy == RoutingPolicy::kSpray || out.routing.policy == RoutingPolicy::kAdaptive;
  if (by_packet) engine.loss_recovery = rxe::LossRecovery::kSelectiveRepeat;
  transport.choose<rxe::LossRecovery>(
      "recovery", engine.loss_recovery,
      {{"go_back_n", rxe::LossRecovery::kGoBackN}, {"selective_repeat", rxe::LossRecovery::kSelectiveRepeat}});
  const bool selective = engine.loss_recovery == rxe::LossRecovery::kSelectiveRepeat;
  // A window of a few packets is shorter than the interval of coalesced acknowledgements; IRN has one a packet.
  if (selective) engine.ack_policy = rxe::AckPolicy::kEveryPacket;
  const std::uint64_t payload =
      out.transport.payload_bytes != 0 ? out.transport.payload_bytes : out.transport.mtu_bytes;
  engine.unacked_psns_max =
      selective ? packets_on_the_way(out, engine.congestion.base_rtt, payload + 82) : kWindowPackets;
  transport.small("window_packets", engine.unacked_psns_max, {1, 1u << 20});
  // Where packets overtake each other, a gap is no loss yet.
  const bool reorders = out.reps || out.routing.policy != RoutingPolicy::kEcmp;
  if (reorders) engine.selective.reorder_packets = kReorderPackets;
  Section irn = transport.section("irn");
  read_time(irn, "rto_low", engine.selective.rto_low);
  read_time(irn, "rto_high", engine.selective.rto_high);
  irn.small("rto_low_packets", engine.selective.rto_low_packets, {0, 1u << 20});
  irn.small("reorder_packets", engine.selective.reorder_packets, {1, 1u << 20});
  irn.finish();
}

}  // namespace

void read_congestion(Section& transport, Scenario& out) {
  rxe::DeviceOptions& engine = out.hosts.engine;
  engine.congestion_control = rxe::CongestionControl::kDcqcn;
  transport.choose<rxe::CongestionControl>("congestion", engine.congestion_control,
                                           {{"none", rxe::CongestionControl::kNone},
                                            {"dcqcn", rxe::CongestionControl::kDcqcn},
                                            {"hpcc", rxe::CongestionControl::kHpcc},
                                            {"timely", rxe::CongestionControl::kTimely},
                                            {"swift", rxe::CongestionControl::kSwift},
                                            {"window", rxe::CongestionControl::kWindow}});
  rxe::CongestionParameters& p = engine.congestion;
  // Those who judge by what acknowledgements bring want one a packet.
  const bool by_ack = engine.congestion_control != rxe::CongestionControl::kNone &&
                      engine.congestion_control != rxe::CongestionControl::kDcqcn;
  if (by_ack) engine.ack_policy = rxe::AckPolicy::kEveryPacket;
  out.hosts.telemetry = out.switches.telemetry = engine.congestion_control == rxe::CongestionControl::kHpcc;
  if (!transport.failed() && out.topology.host_count > 1) {
    const std::uint64_t payload =
        out.transport.payload_bytes != 0 ? out.transport.payload_bytes : out.transport.mtu_bytes;
    const Longest longest = longest_path(out.topology, static_cast<std::uint32_t>(payload) + 82);
    p.base_rtt = longest.rtt;
    p.swift.hops = longest.switches;
  }
  read_time(transport, "base_rtt", p.base_rtt);
  read_recovery(transport, out);
  transport.bytes("window", p.window_bytes, {0, kBytesMax});
  read_dcqcn(transport.section("dcqcn"), p.dcqcn);
  read_hpcc(transport.section("hpcc"), p.hpcc);
  read_timely(transport.section("timely"), p.timely);
  read_swift(transport.section("swift"), p.swift);
}

}  // namespace rocelab::sim
