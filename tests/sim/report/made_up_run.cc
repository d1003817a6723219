// The run that never was (made_up_run.h): rates, queues and times hang together well enough for a page to look right.
#include "tests/sim/report/made_up_run.h"

#include <algorithm>

#include "base/rng.h"

namespace rocelab::sim {

namespace {

using base::Duration;
using base::TimePoint;

constexpr std::uint64_t kRateBps = 100'000'000'000;
constexpr Duration kInterval = Duration::us(10);

TimePoint at_interval(std::uint32_t i) { return TimePoint() + kInterval * i; }

void write_fabric(ResultsWriter& writer, const MadeUpRun& run) {
  const std::uint32_t hosts = run.leaves * run.hosts_per_leaf;
  for (std::uint32_t i = 0; i < hosts; ++i) {
    const std::string name = "host" + std::to_string(i);
    writer.node({.id = i,
                 .is_switch = false,
                 .name = name,
                 .tier = 0,
                 .pod = i / run.hosts_per_leaf,
                 .x = static_cast<std::int32_t>(i) * 1000,
                 .y = 0});
  }
  const std::int64_t width = static_cast<std::int64_t>(hosts) * 1000;
  for (std::uint32_t i = 0; i < run.leaves + run.spines; ++i) {
    const bool leaf = i < run.leaves;
    const std::uint32_t index = leaf ? i : i - run.leaves;
    const auto of = static_cast<std::int64_t>(leaf ? run.leaves : run.spines);
    const std::string name = (leaf ? "leaf" : "spine") + std::to_string(index);
    writer.node({.id = hosts + i,
                 .is_switch = true,
                 .name = name,
                 .tier = leaf ? 1u : 2u,
                 .pod = leaf ? index : 0,
                 .x = static_cast<std::int32_t>((2 * static_cast<std::int64_t>(index) + 1) * width / (2 * of) - 500),
                 .y = leaf ? 1000 : 2000});
  }
  std::uint32_t id = 0;
  for (std::uint32_t i = 0; i < hosts; ++i) {
    writer.link({.id = id++,
                 .a = i,
                 .a_port = 0,
                 .b = hosts + i / run.hosts_per_leaf,
                 .b_port = i % run.hosts_per_leaf,
                 .rate_bps = kRateBps,
                 .delay = Duration::us(1)});
  }
  for (std::uint32_t leaf = 0; leaf < run.leaves; ++leaf) {
    for (std::uint32_t spine = 0; spine < run.spines; ++spine) {
      writer.link({.id = id++,
                   .a = hosts + leaf,
                   .a_port = run.hosts_per_leaf + spine,
                   .b = hosts + run.leaves + spine,
                   .b_port = leaf,
                   .rate_bps = kRateBps,
                   .delay = Duration::us(1)});
    }
  }
}

void write_flows(ResultsWriter& writer, const MadeUpRun& run, base::Rng& rng) {
  const std::uint32_t hosts = run.leaves * run.hosts_per_leaf;
  for (std::uint64_t i = 0; i < run.flows; ++i) {
    FlowRecord flow;
    flow.id = i;
    flow.source = static_cast<std::uint32_t>(rng.below(hosts));
    flow.destination = (flow.source + 1 + static_cast<std::uint32_t>(rng.below(hosts - 1))) % hosts;
    flow.bytes = (1 + rng.below(1000)) << rng.below(13);
    flow.start = TimePoint() + Duration::ps(static_cast<std::int64_t>(
                                   rng.below(static_cast<std::uint64_t>(kInterval.count_ps()) * run.samples)));
    flow.ideal = Duration::us(8) + Duration::ps(static_cast<std::int64_t>(flow.bytes) * 84);
    const auto permille = static_cast<std::int64_t>(1000 + rng.below(1 + rng.below(8000)));
    const bool lost = i % 100 == 99;
    if (!lost) flow.finish = flow.start + Duration::ps(flow.ideal.count_ps() / 1000 * permille);
    flow.retransmitted_packets = i % 50 == 0 ? 3 : 0;
    flow.priority = 3;
    flow.status = lost ? "unfinished" : "ok";
    flow.tag = i % 3 == 0 ? "incast" : "background";
    writer.flow(flow);
  }
}

void write_samples(ResultsWriter& writer, const MadeUpRun& run, base::Rng& rng) {
  const std::uint32_t hosts = run.leaves * run.hosts_per_leaf;
  const std::uint32_t links = hosts + run.leaves * run.spines;
  const std::uint64_t full = 125'000;  // bytes of kRateBps in kInterval
  for (std::uint32_t i = 1; i <= run.samples; ++i) {
    for (std::uint32_t leaf = 0; leaf < run.leaves; ++leaf) {
      for (std::uint32_t port = 0; port < run.hosts_per_leaf; ++port) {
        const std::uint64_t bytes = rng.below(leaf == 0 && port == 0 ? 400'000 : 60'000);
        writer.queue_sample({.at = at_interval(i),
                             .node = hosts + leaf,
                             .port = port,
                             .priority = 3,
                             .bytes = bytes,
                             .bytes_max = bytes + rng.below(20'000)});
      }
    }
    for (std::uint32_t host = 0; host < hosts; host += 5) {
      writer.pause_sample({.start = at_interval(i - 1),
                           .end = at_interval(i),
                           .node = host,
                           .port = 0,
                           .priority = 3,
                           .paused = Duration::ns(static_cast<std::int64_t>(rng.below(5000))),
                           .frames = 1 + rng.below(4)});
    }
    for (std::uint32_t link = 0; link < links; ++link) {
      for (const bool from_b : {false, true}) {
        writer.link_sample({.start = at_interval(i - 1),
                            .end = at_interval(i),
                            .link = link,
                            .from_b = from_b,
                            .bytes = full * (20 + (link * 7) % 60 + rng.below(20)) / 100});
      }
    }
  }
}

void write_spans(ResultsWriter& writer, const MadeUpRun& run, base::Rng& rng) {
  const std::uint32_t ranks = run.leaves * run.hosts_per_leaf;
  std::uint64_t id = 0;
  for (std::uint32_t rank = 0; rank < ranks; ++rank) {
    TimePoint at = TimePoint() + Duration::us(static_cast<std::int64_t>(rng.below(5)));
    for (std::uint32_t step = 0; step < 12; ++step) {
      const bool compute = step % 4 == 3;
      const TimePoint end = at + Duration::us(static_cast<std::int64_t>(20 + rng.below(15)));
      const std::string label = "step " + std::to_string(step + 1) + " of 12";
      writer.span({.id = id++,
                   .group = "training",
                   .lane = rank,
                   .operation = compute ? "compute" : "all-reduce",
                   .label = label,
                   .node = rank,
                   .start = at,
                   .finish = end,
                   .bytes = compute ? 0u : 1'048'576u});
      at = end + Duration::us(1);
    }
  }
}

void write_ends(ResultsWriter& writer, const MadeUpRun& run, base::Rng& rng) {
  const std::uint32_t hosts = run.leaves * run.hosts_per_leaf;
  writer.counter({.node = {}, .port = {}, .name = "flows", .value = run.flows});
  for (std::uint32_t leaf = 0; leaf < run.leaves; ++leaf) {
    writer.counter({.node = hosts + leaf, .port = {}, .name = "ecn_marked_packets", .value = rng.below(10'000)});
    for (std::uint32_t port = 0; port < run.hosts_per_leaf; ++port) {
      writer.counter({.node = hosts + leaf, .port = port, .name = "pause_frames_sent", .value = 1 + rng.below(90)});
    }
  }
  writer.finding({.at = at_interval(3),
                  .severity = Severity::kWarning,
                  .kind = "pause_storm",
                  .node = 0,
                  .port = 0,
                  .text = "host0 paused its link for more than half of 100 us, \"and\" <that> is, well, much"});
  writer.finding({.at = at_interval(4),
                  .severity = Severity::kNote,
                  .kind = "unreachable",
                  .node = {},
                  .port = {},
                  .text = "no route for 2 us after a link went down"});
}

}  // namespace

std::string write_made_up_run(const std::string& path, const MadeUpRun& run) {
  RunInfo info;
  info.version = "0.0.0";
  info.seed = run.seed;
  info.scenario_name = "a run that never was";
  info.scenario_text = "[topology]\nkind = \"leaf-spine\"  # </script> & \"quotes\"\n";
  info.settings = {{"switch.ecn.kmin_bytes", std::to_string(run.kmin_bytes)}, {"transport.congestion", "dcqcn"}};
  auto writer = ResultsWriter::open(path, info);
  if (!writer) return writer.error();
  base::Rng rng(run.seed, "made up run");
  write_fabric(*writer, run);
  write_flows(*writer, run, rng);
  write_samples(*writer, run, rng);
  write_spans(*writer, run, rng);
  write_ends(*writer, run, rng);
  RunSummary end;
  end.status = run.status;
  end.simulated = at_interval(run.samples);
  end.events = run.flows * 1000;
  end.packets = run.flows * 100;
  end.packet_hops = run.flows * 400;
  end.payload_bytes = run.flows * 100'000;
  const auto finished = writer->finish(end, RunCost{.wall_ns = run.seed, .cpu_ns = 1'500'000'000, .threads = 2});
  return finished ? std::string() : finished.error();
}

}  // namespace rocelab::sim
