// [switch] and [routing]. The defaults of marking thresholds are those of the HPCC paper (Li et al., SIGCOMM 2019, 5.1)
// for DCQCN, scaled to each port's rate; those of the buffer are SwitchOptions' own.
#include <fmt/format.h>

#include "sim/workload/scenario/readers.h"

namespace rocelab::sim {

namespace {

constexpr std::uint64_t kBytesMax = 1u << 31;
constexpr std::uint64_t kTimeMax = 86'400'000'000'000'000;
constexpr std::uint64_t kPpm = 1'000'000;

/// A list of classes as a bit mask.
std::uint8_t read_classes(Section& section, std::string_view key, std::uint8_t standard) {
  std::vector<std::uint64_t> classes;
  for (unsigned p = 0; p < kPriorities; ++p) {
    if ((standard >> p & 1) != 0) classes.push_back(p);
  }
  section.numbers(key, classes, {0, kPriorities - 1});
  std::uint8_t mask = 0;
  for (const std::uint64_t p : classes) mask = static_cast<std::uint8_t>(mask | 1u << p);
  return mask;
}

void read_time(Section& section, std::string_view key, base::Duration& out) {
  auto ps = static_cast<std::uint64_t>(out.count_ps());
  section.time(key, ps, {0, kTimeMax});
  out = base::Duration::ps(static_cast<std::int64_t>(ps));
}

/// Thresholds against the buffer's free part, as a decimal number; in units of 1/1024 inside.
void read_alpha(Section& section, std::string_view key, std::uint32_t& out) {
  std::uint64_t ppm = std::uint64_t{out} * kPpm / qos::kAlphaOne;
  section.decimal(key, ppm, 6, {1, 64 * kPpm});
  out = static_cast<std::uint32_t>((ppm * qos::kAlphaOne + kPpm / 2) / kPpm);
  if (out == 0) out = 1;
}

void read_pfc(Section section, Scenario& out) {
  SwitchOptions& s = out.switches;
  section.boolean("enabled", s.pfc);
  const auto lossless = read_classes(section, "priorities", static_cast<std::uint8_t>(1u << out.transport.priority));
  read_alpha(section, "alpha", s.pfc_alpha);
  section.small("headroom", s.headroom_bytes, {0, kBytesMax});
  section.small("xon_offset", s.xon_offset_bytes, {0, kBytesMax});
  section.small("quanta", s.pause_quanta, {1, 0xffff});
  for (unsigned p = 0; p < kPriorities; ++p) {
    s.classes[p].kind = s.pfc && (lossless >> p & 1) != 0 ? ClassKind::kLossless : ClassKind::kLossy;
  }
  if (s.pfc) out.hosts.lossless_mask = lossless;
  section.finish();
}

void read_ecn(Section section, Scenario& out) {
  const auto control = out.hosts.engine.congestion_control;
  bool enabled = control == rxe::CongestionControl::kDcqcn || out.reps;
  section.boolean("enabled", enabled);
  EcnOptions ecn;
  ecn.rate_bps = 25'000'000'000;
  ecn.red = {100'000, 400'000, 200'000};
  section.rate("at_rate", ecn.rate_bps);
  std::uint64_t kmin = ecn.red.kmin_bytes, kmax = ecn.red.kmax_bytes, pmax = ecn.red.pmax_ppm;
  section.bytes("kmin", kmin, {0, kBytesMax});
  section.bytes("kmax", kmax, {0, kBytesMax});
  section.decimal("pmax", pmax, 6, {0, kPpm});
  if (kmax < kmin) section.fail("kmax", "must not be less than `kmin`");
  ecn.red = {static_cast<std::uint32_t>(kmin), static_cast<std::uint32_t>(kmax), static_cast<std::uint32_t>(pmax)};
  bool at_dequeue = out.switches.ecn_at_dequeue;
  section.boolean("at_dequeue", at_dequeue);
  out.switches.ecn_at_dequeue = at_dequeue;
  if (enabled) out.switches.ecn = {ecn};
  section.finish();
}

void read_watchdog(Section section, Scenario& out) {
  qos::PfcWatchdogOptions& w = out.switches.watchdog;
  section.boolean("enabled", w.enabled);
  section.time("detection", w.detection_ps, {1, kTimeMax});
  section.time("restoration", w.restoration_ps, {1, kTimeMax});
  section.choose<qos::WatchdogAction>("action", w.action,
                                      {{"drop", qos::WatchdogAction::kDrop},
                                       {"forward", qos::WatchdogAction::kForward},
                                       {"alert", qos::WatchdogAction::kAlert}});
  section.finish();
}

}  // namespace

void read_switch(Section section, Scenario& out) {
  SwitchOptions& s = out.switches;
  section.bytes("buffer", s.buffer_bytes, {1, std::uint64_t{1} << 40});
  section.choose<BufferModel>("buffer_model", s.buffer_model,
                              {{"shared", BufferModel::kSharedDynamic}, {"egress_limit", BufferModel::kEgressLimit}});
  section.small("reserve", s.reserve_bytes, {0, kBytesMax});
  read_alpha(section, "alpha", s.egress_alpha);
  section.small("egress_limit", s.egress_limit_bytes, {0, kBytesMax});
  read_pfc(section.section("pfc"), out);
  read_ecn(section.section("ecn"), out);
  read_watchdog(section.section("watchdog"), out);
  std::vector<std::uint64_t> weights(kPriorities, 1);
  section.numbers("weights", weights, {1, 1000});
  if (weights.size() != kPriorities) section.fail("weights", "must be eight numbers, one a priority");
  const std::uint8_t strict = read_classes(section, "strict", 1u << 7);
  const std::uint8_t unlimited = read_classes(section, "unlimited", 0);
  for (unsigned p = 0; p < kPriorities && !section.failed(); ++p) {
    s.classes[p].weight = static_cast<std::uint32_t>(weights[p]);
    s.classes[p].strict = (strict >> p & 1) != 0;
    if ((unlimited >> p & 1) != 0) s.classes[p].kind = ClassKind::kUnlimited;
  }
  section.boolean("trimming", s.trimming);
  section.small("trim_priority", s.trim_priority, {0, 7});
  read_time(section, "deadlock_after", s.deadlock_after);
  read_time(section, "storm_after", s.storm_after);
  section.finish();
  if (section.failed()) return;
  if (const auto profile = SwitchProfile::make(s); !profile) section.fail("", profile.error());
}

void read_routing(Section section, Scenario& out) {
  enum class Policy : std::uint8_t { kEcmp, kSpray, kFlowlet, kAdaptive, kReps };
  Policy policy = Policy::kEcmp;
  section.choose<Policy>("policy", policy,
                         {{"ecmp", Policy::kEcmp},
                          {"spray", Policy::kSpray},
                          {"flowlet", Policy::kFlowlet},
                          {"adaptive", Policy::kAdaptive},
                          {"reps", Policy::kReps}});
  out.reps = policy == Policy::kReps;
  if (out.reps) {
    // The hosts choose a UDP source port per packet, the switches hash it; each ACK brings a port and its mark back.
    out.hosts.engine.entropy = rxe::Entropy::kRecycled;
    out.hosts.engine.ack_policy = rxe::AckPolicy::kEveryPacket;
  }
  out.routing.policy = policy == Policy::kSpray      ? RoutingPolicy::kSpray
                       : policy == Policy::kFlowlet  ? RoutingPolicy::kFlowlet
                       : policy == Policy::kAdaptive ? RoutingPolicy::kAdaptive
                                                     : RoutingPolicy::kEcmp;
  read_time(section, "flowlet_gap", out.routing.flowlet_gap);
  section.small("adaptive_hysteresis", out.routing.adaptive_hysteresis_bytes, {0, kBytesMax});
  section.choose<RoutingPaths>("paths", out.routing.paths,
                               {{"auto", RoutingPaths::kAuto},
                                {"shortest", RoutingPaths::kShortest},
                                {"up_down", RoutingPaths::kUpDown},
                                {"dimension_order", RoutingPaths::kDimensionOrder}});
  read_time(section, "convergence", out.convergence);
  section.finish();
}

}  // namespace rocelab::sim
