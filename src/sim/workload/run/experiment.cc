// See experiment.h; what is written to the results is in results_out.cc.
#include "sim/workload/run/experiment.h"

#include <fmt/format.h>

#include <algorithm>

#include "rxe/types.h"

namespace rocelab::sim {

namespace {

/// What is left to the fabric to come to rest after the last message: the reports of the hosts take that long.
constexpr std::uint64_t kRestPs = 20'000'000;
constexpr std::uint64_t kRestDelays = 16;  ///< or so many times the longest link
constexpr std::uint16_t kReceiveDepth = 64;

class KernelMonitor final : public Monitor {
 public:
  KernelMonitor(const Runner& runner, std::uint64_t bytes, ProgressSink* sink)
      : runner_(runner), bytes_(bytes), sink_(sink) {}
  bool on_progress(const Progress& progress) override {
    if (sink_ == nullptr) return true;
    const Runner::Tally tally = runner_.tally();
    ProgressReport report;
    report.now_ps = progress.now.count_ps();
    report.events = progress.events;
    report.messages = runner_.sends();
    report.messages_done = tally.sends_done + tally.sends_failed;
    report.bytes = bytes_;
    report.bytes_done = tally.bytes_done;
    return sink_->on_progress(report);
  }

 private:
  const Runner& runner_;
  std::uint64_t bytes_;
  ProgressSink* sink_;
};

ConnectionOptions connection_options(const Scenario& scenario, std::uint8_t priority) {
  const TransportSettings& t = scenario.transport;
  ConnectionOptions out;
  out.type = t.service;
  for (const rxe::PathMtu mtu :
       {rxe::PathMtu::k256, rxe::PathMtu::k512, rxe::PathMtu::k1024, rxe::PathMtu::k2048, rxe::PathMtu::k4096}) {
    if (rxe::mtu_bytes(mtu) == t.mtu_bytes) out.mtu = mtu;
  }
  out.priority = priority;
  out.gid_index = t.gid_index;
  out.timeout = t.timeout;
  out.retry_cnt = t.retry_count;
  return out;
}

}  // namespace

Experiment::Experiment(Scenario& scenario, const ExperimentOptions& options) : scenario_(scenario), options_(options) {}

base::TextResult<std::unique_ptr<Experiment>> Experiment::make(Scenario& scenario, const ExperimentOptions& options) {
  std::unique_ptr<Experiment> out(new Experiment(scenario, options));
  auto network = Network::make(scenario, options.partitions, options.samples);
  if (!network) return base::fail_text(network.error());
  out->network_ = std::move(*network);

  std::uint64_t longest = 0, message_max = 1;
  for (const TopologyLink& link : scenario.topology.links) {
    longest = std::max(longest, static_cast<std::uint64_t>(link.delay.count_ps()));
  }
  for (const Task& task : scenario.plan.tasks()) message_max = std::max(message_max, task.bytes);
  out->conductor_ =
      std::make_unique<Conductor>(Duration::ps(static_cast<std::int64_t>(std::max(kRestPs, kRestDelays * longest))));
  Simulation& simulation = out->network_->simulation();
  const NodeId conductor = simulation.add(*out->conductor_);
  for (std::uint32_t h = 0; h < scenario.topology.host_count; ++h) {
    simulation.connect(h, conductor, out->conductor_->latency(), Traffic::kSeldom);
  }
  for (std::uint8_t priority = 0; priority < kPriorities; ++priority) {
    ConnectionOptions one = connection_options(scenario, priority);
    one.message_bytes_max = message_max;
    out->shared_.push_back(one);
    out->shared_.back().receive_depth = kReceiveDepth;
    one.single_message = true;
    one.send_depth = 1;
    out->single_.push_back(one);
  }
  out->runner_ = std::make_unique<Runner>(scenario.plan, out->network_->hosts(), *out->conductor_);
  const Experiment* self = out.get();
  ConnectionPolicy policy;
  policy.single = [self](std::uint8_t priority) -> const ConnectionOptions& { return self->single_[priority]; };
  policy.shared = [self](std::uint8_t priority) -> const ConnectionOptions& { return self->shared_[priority]; };
  out->runner_->prepare(simulation, policy);
  return out;
}

void Experiment::run(ProgressSink* sink) {
  std::uint64_t bytes = 0;
  for (const Task& task : scenario_.plan.tasks()) bytes += task.kind == TaskKind::kSend ? task.bytes : 0;
  KernelMonitor monitor(*runner_, bytes, sink);
  RunOptions options;
  options.partitions = options_.partitions;
  options.executor = options_.executor;
  options.monitor = &monitor;
  const std::uint64_t until = scenario_.limits.until_ps == 0 ? kNever - 1 : scenario_.limits.until_ps;
  outcome_ = network_->simulation().run(TimePoint::from_ps(until), options);
  switch (outcome_.end) {
    case RunEnd::kDrained:
    case RunEnd::kRequested:
      status_ = RunStatus::kComplete;
      break;
    case RunEnd::kUntil:
      status_ = RunStatus::kTimeLimit;
      break;
    case RunEnd::kStopped:
      status_ = RunStatus::kInterrupted;
      break;
  }
  if (status_ == RunStatus::kComplete && !stuck().empty()) status_ = RunStatus::kFailed;
}

Totals Experiment::totals() const {
  Totals out;
  const Runner::Tally tally = runner_->tally();
  out.messages = runner_->sends();
  out.messages_done = tally.sends_done;
  out.messages_failed = tally.sends_failed;
  out.payload_bytes = tally.bytes_done;
  for (const auto& host : network_->hosts()) {
    out.packets += host->counters().tx_packets;
    out.packet_hops += host->port().counters().rx_packets;
  }
  for (const auto& node : network_->switches()) {
    const SwitchTotals totals = node->totals();
    out.packet_hops += totals.rx_packets;
    out.drops += totals.dropped();
    out.ecn_marked += totals.ecn_marked;
    out.pauses += totals.xoffs;
  }
  return out;
}

std::vector<MessageResult> Experiment::results() {
  std::vector<MessageResult> out;
  PathFinder finder(scenario_.topology);
  const PacketShape packets = shape();
  for (TaskId id = 0; id < scenario_.plan.size(); ++id) {
    const Task& task = scenario_.plan.task(id);
    if (task.kind != TaskKind::kSend || task.status != TaskStatus::kDone) continue;
    const std::vector<PathLink>& path = finder.path(task.host, task.peer);
    out.push_back({id, task.end_ps - task.begin_ps, ideal_completion_ps(path, task.bytes, packets)});
  }
  return out;
}

std::vector<std::string> Experiment::violations() const {
  std::vector<std::string> out;
  for (std::uint32_t s = 0; s < network_->switches().size(); ++s) {
    const auto audit = network_->switches()[s]->audit();
    if (!audit) out.push_back(fmt::format("{}: {}", scenario_.topology.switch_at(s).name, audit.error()));
  }
  if (status_ != RunStatus::kComplete) return out;
  for (const std::string& text : check_hosts(network_->hosts())) out.push_back(text);
  for (std::uint32_t s = 0; s < network_->switches().size(); ++s) {
    const Switch& node = *network_->switches()[s];
    if (node.queued_bytes() != 0 || node.buffer_used_bytes() != 0) {
      out.push_back(fmt::format("{}: {} bytes are queued at the end and {} charged to its buffer",
                                scenario_.topology.switch_at(s).name, node.queued_bytes(), node.buffer_used_bytes()));
    }
  }
  return out;
}

std::string Experiment::stuck() const {
  std::uint64_t open = 0;
  const Task* first = nullptr;
  for (const Task& task : scenario_.plan.tasks()) {
    if (task.status == TaskStatus::kDone || task.status == TaskStatus::kFailed) continue;
    ++open;
    if (first == nullptr) first = &task;
  }
  if (open == 0) return {};
  return fmt::format("{} tasks have not ended although nothing is left to happen; the first is of host {}", open,
                     scenario_.topology.nodes[first->host].name);
}

RunSummary Experiment::summary() const {
  RunSummary out;
  const Totals sums = totals();
  out.status = status_;
  if (status_ == RunStatus::kFailed) out.detail = stuck();
  out.simulated = outcome_.now;
  out.events = status_ == RunStatus::kInterrupted ? 0 : outcome_.events;
  out.packets = sums.packets;
  out.packet_hops = sums.packet_hops;
  out.payload_bytes = sums.payload_bytes;
  return out;
}

PacketShape Experiment::shape() const {
  // Ethernet 14, FCS 4, preamble and gap 20; RoCE v2: IPv4 20, UDP 8; v1: GRH 40; BTH 12, ICRC 4.
  const std::uint32_t network = scenario_.transport.gid_index == 0 ? 20 + 8 : 40;
  PacketShape out;
  out.payload_bytes = static_cast<std::uint32_t>(
      scenario_.transport.payload_bytes != 0 ? scenario_.transport.payload_bytes : scenario_.transport.mtu_bytes);
  out.overhead_bytes = 14 + network + 12 + 4 + 4 + kEthernetGapBytes;
  out.first_bytes = 16;  // RETH
  out.frame_bytes_min = 64 + kEthernetGapBytes;
  out.ack_bytes = std::max(out.overhead_bytes + 4, out.frame_bytes_min);  // AETH
  const HostProfile& p = scenario_.hosts.profile;
  out.before_ps = static_cast<std::uint64_t>((p.cpu_per_post + p.post_delay(false)).count_ps());
  out.receive_ps = static_cast<std::uint64_t>(p.nic_receive.count_ps());
  out.after_ps = static_cast<std::uint64_t>((p.nic_receive + p.completion_write + p.cpu_per_completion).count_ps());
  return out;
}

}  // namespace rocelab::sim
