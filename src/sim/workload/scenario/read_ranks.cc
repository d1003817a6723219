// [[workload]] of ranks that wait for each other: collectives, training steps, Chakra traces.
#include <fmt/format.h>

#include <algorithm>

#include "sim/workload/plan/collective.h"
#include "sim/workload/plan/training.h"
#include "sim/workload/scenario/readers.h"
#include "sim/workload/trace/chakra.h"

namespace rocelab::sim {

namespace {

using A = CollectiveAlgorithm;

constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 40;
constexpr std::uint64_t kTimeMax = 86'400'000'000'000'000;  // a day
constexpr std::uint64_t kRankMessagesMax = 50'000'000;      // of one workload: the plan has to fit into memory

constexpr std::pair<std::string_view, Collective> kOperations[] = {
    {"all_reduce", Collective::kAllReduce},         {"all_gather", Collective::kAllGather},
    {"reduce_scatter", Collective::kReduceScatter}, {"all_to_all", Collective::kAllToAll},
    {"broadcast", Collective::kBroadcast},          {"barrier", Collective::kBarrier}};
constexpr std::pair<std::string_view, A> kAlgorithms[] = {{"default", A::kDefault},
                                                          {"ring", A::kRing},
                                                          {"tree", A::kTree},
                                                          {"halving_doubling", A::kHalvingDoubling},
                                                          {"direct", A::kDirect},
                                                          {"pairwise", A::kPairwise},
                                                          {"dissemination", A::kDissemination}};

}  // namespace

void read_collective(Section& section, const WorkloadContext& c) {
  CollectiveRequest request;
  request.workload = c.index;
  request.priority = c.priority;
  request.bytes = 1'000'000;
  request.ranks = read_hosts(section, "ranks", c.names, c.scenario.topology.host_count);
  std::uint32_t repeat = 1;
  std::uint64_t gap = 0;
  section.require("operation");
  section.choose("operation", request.operation, kOperations);
  section.choose("algorithm", request.algorithm, kAlgorithms);
  section.bytes("bytes", request.bytes, {1, kBytesMax});
  section.small("pieces", request.pieces, {1, 100'000});
  section.time("reduce_time", request.compute_ps, {0, kTimeMax});
  section.small("repeat", repeat, {1, 1'000'000});
  section.time("gap", gap, {0, kTimeMax});
  if (!possible(request.operation, request.algorithm)) {
    section.fail("algorithm",
                 fmt::format("`{}` is no algorithm of {}", name_of(request.algorithm), name_of(request.operation)));
  }
  if (request.ranks.size() < 2) section.fail("ranks", "a collective needs two ranks at least");
  const std::uint64_t n = request.ranks.size();
  if (2 * n * n * repeat * (request.pieces > n ? request.pieces / n + 1 : 1) > kRankMessagesMax) {
    section.fail("ranks", "these are too many messages");
  }
  if (section.failed()) return;
  // Each repetition begins, rank by rank, `gap` after the one before.
  std::vector<TaskId> last(request.ranks.size(), kNoTask);
  for (std::uint32_t i = 0; i < repeat; ++i) {
    request.entries.clear();
    for (std::size_t r = 0; r < request.ranks.size(); ++r) {
      const std::uint64_t wait = i == 0 ? c.start_ps : gap;
      TaskId entry = last[r];
      if (wait > 0) {
        entry = c.scenario.plan.delay(c.index, request.ranks[r], wait);
        c.scenario.plan.after(entry, last[r]);
      }
      request.entries.push_back(entry);
    }
    request.label = fmt::format("{} {}", name_of(request.operation), i + 1);
    last = add_collective(c.scenario.plan, request);
  }
}

void read_training(Section& section, const WorkloadContext& c) {
  TrainingStep step;
  step.workload = c.index;
  step.priority = c.priority;
  step.start_ps = c.start_ps;
  step.ranks = read_hosts(section, "ranks", c.names, c.scenario.topology.host_count);
  section.small("tensor", step.tensor, {1, 65'536});
  section.small("data", step.data, {1, 65'536});
  section.small("pipeline", step.pipeline, {1, 65'536});
  section.small("micro_batches", step.micro_batches, {1, 65'536});
  section.small("steps", step.steps, {1, 65'536});
  section.time("forward_time", step.forward_ps, {0, kTimeMax});
  section.time("backward_time", step.backward_ps, {0, kTimeMax});
  section.bytes("activation_bytes", step.activation_bytes, {0, kBytesMax});
  section.bytes("tensor_bytes", step.tensor_bytes, {0, kBytesMax});
  section.bytes("gradient_bytes", step.gradient_bytes, {0, kBytesMax});
  section.choose<PipelineSchedule>(
      "schedule", step.schedule,
      {{"1f1b", PipelineSchedule::kOneForwardOneBackward}, {"gpipe", PipelineSchedule::kGpipe}});
  section.choose<A>("algorithm", step.algorithm,
                    {{"ring", A::kRing}, {"tree", A::kTree}, {"halving_doubling", A::kHalvingDoubling}});
  const std::uint64_t wanted = std::uint64_t{step.tensor} * step.data * step.pipeline;
  if (wanted > step.ranks.size() || (section.has("ranks") && wanted != step.ranks.size())) {
    section.fail("ranks",
                 fmt::format("tensor * data * pipeline are {} ranks, there are {}", wanted, step.ranks.size()));
  }
  const std::uint64_t passes = 2ull * step.micro_batches * step.pipeline * step.steps;
  const std::uint64_t messages = passes * step.tensor * step.data * (1 + 2ull * (step.tensor - 1)) +
                                 2ull * step.data * step.data * step.tensor * step.pipeline * step.steps;
  if (messages > kRankMessagesMax) section.fail("micro_batches", "these are too many messages");
  if (section.failed()) return;
  step.ranks.resize(wanted);
  add_training(c.scenario.plan, step);
}

void read_trace(Section& section, const WorkloadContext& c) {
  TraceWorkload trace;
  trace.workload = c.index;
  trace.priority = c.priority;
  trace.start_ps = c.start_ps;
  std::string pattern, groups;
  section.require("files");
  section.text("files", pattern);
  section.text("groups", groups);
  section.choose("algorithm", trace.algorithm, kAlgorithms);
  trace.hosts = read_hosts(section, "ranks", c.names, c.scenario.topology.host_count);
  std::uint64_t count = trace.hosts.size();
  section.number("count", count, {1, trace.hosts.size()});
  const std::size_t mark = pattern.find("%r");
  if (mark == std::string::npos) section.fail("files", "must have %r where the number of the rank stands");
  if (section.failed()) return;
  trace.hosts.resize(count);
  for (std::uint64_t r = 0; r < count; ++r) {
    std::string name = pattern;
    name.replace(mark, 2, std::to_string(r));
    const auto bytes = read_named_file(c.reading, name);
    if (!bytes) return section.fail("files", bytes.error());
    auto nodes = parse_chakra(*bytes, resolve_name(c.reading, name));
    if (!nodes) return section.fail_elsewhere(nodes.error());
    trace.ranks.push_back(std::move(*nodes));
  }
  if (!groups.empty()) {
    const auto text = read_named_file(c.reading, groups);
    if (!text) return section.fail("groups", text.error());
    auto parsed = parse_process_groups(*text, resolve_name(c.reading, groups));
    if (!parsed) return section.fail_elsewhere(parsed.error());
    trace.groups = std::move(*parsed);
  }
  if (const auto added = add_trace(c.scenario.plan, trace); !added) section.fail("files", added.error());
}

}  // namespace rocelab::sim
