// However the fabric is divided, every host sees the same packets at the same times, and every switch counts the same.
#include <string>

#include "sim/fabric/topology/generators.h"
#include "tests/sim/fabric/rig.h"
#include "tests/support/catch.h"

namespace rocelab::sim::test {
namespace {

/// Everything that hosts and switches have noted, as text.
std::string story(unsigned partitions, std::uint64_t seed) {
  LeafSpineOptions shape;
  shape.leaves = 4;
  shape.spines = 2;
  shape.hosts_per_leaf = 4;
  RigOptions options;
  options.seed = seed;
  options.switches.classes[3].kind = ClassKind::kLossless;
  options.switches.buffer_bytes = 700'000;
  options.switches.frame_bytes_max = 1086;
  options.switches.ecn = {{k100G, {5'000, 50'000, 500'000}}};
  options.switches.telemetry = true;
  options.switches.sample_interval = Duration::us(7);
  Rig rig(leaf_spine(shape).value(), options);
  LinkEffectsOptions effects;
  effects.loss_denominator = 50;
  effects.loss_numerator = 1;
  rig.switch_at(0).set_link_effects(5, effects);

  base::Rng rng(seed, "story");
  const auto hosts = static_cast<NodeId>(rig.host_count());
  for (NodeId from = 0; from < hosts; ++from) {
    for (unsigned batch = 0; batch < 6; ++batch) {
      SendRequest request;
      // A third of it goes to one host: there is congestion, and pauses spread.
      request.destination = rng.chance(1, 3) ? hosts - 1 : static_cast<NodeId>(rng.below(hosts));
      if (request.destination == from) request.destination = (from + 1) % hosts;
      request.priority = rng.chance(2, 3) ? 3 : 1;
      request.flow_hash = static_cast<std::uint32_t>(rng.next());
      request.flags = packet_flag::kData | packet_flag::kTelemetry;
      rig.send(from, request, 150, TimePoint::from_ps(rng.below(40'000'000)));
    }
  }
  rig.link_state(18, false, TimePoint::from_ps(60'000'000));
  rig.link_state(18, true, TimePoint::from_ps(80'000'000));
  rig.run(TimePoint::from_ps(1'000'000'000'000), partitions);
  CHECK(rig.audit() == "");

  std::string text;
  const auto add = [&](auto value) { text += std::to_string(value) + " "; };
  for (NodeId i = 0; i < hosts; ++i) {
    for (const Received& packet : rig.host(i).received) {
      add(packet.time_ps);
      add(packet.source);
      add(packet.user);
      add(static_cast<unsigned>(packet.ecn));
      for (const wire::HopTelemetry& hop : packet.telemetry) add(hop.timestamp_ps + hop.queue_bytes);
    }
    text += "\n";
  }
  std::uint64_t pauses = 0;
  for (std::size_t i = 0; i < rig.switch_count(); ++i) {
    for_each_counter(rig.switch_at(i), rig.now(), [&](unsigned port, std::string_view name, std::uint64_t value) {
      add(port);
      text += std::string(name) + " ";
      add(value);
    });
    for (const QueueLengthSample& sample : rig.switch_at(i).samples().queues) add(sample.at_ps + sample.bytes_max);
    for (const Finding& finding : rig.switch_at(i).findings()) add(finding.at.count_ps());
    pauses += rig.switch_at(i).totals().xoffs;
    text += "\n";
  }
  CHECK(pauses > 10);
  return text;
}

TEST_CASE("partitions: one, two, three or four tell the same story", "[sim][fabric][partitions]") {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const std::string alone = story(1, seed);
    for (unsigned partitions = 2; partitions <= 4; ++partitions) {
      INFO("seed " << seed << ", partitions " << partitions);
      CHECK((story(partitions, seed) == alone));
    }
  }
}

}  // namespace
}  // namespace rocelab::sim::test
