// What an experiment writes: node after node, task after task, so that the order is that of the scenario and not that
// of threads. See experiment.h.
#include <fmt/format.h>

#include <algorithm>

#include "rxe/device.h"
#include "rxe/vendor_error.h"
#include "sim/workload/run/experiment.h"

namespace rocelab::sim {

namespace {

/// The link behind a port, and whether the port is its end b.
struct PortLink {
  std::uint32_t link = 0;
  bool is_b = false;
};

PortLink link_of(const Topology& topology, const Adjacency& adjacency, std::uint32_t node, std::uint32_t port) {
  const std::uint32_t link = adjacency.port(node, port).link;
  const TopologyLink& l = topology.links[link];
  return {link, l.b == node && l.b_port == port};
}

std::string status_text(const Task& task) {
  switch (task.status) {
    case TaskStatus::kDone:
      return "ok";
    case TaskStatus::kFailed:
      return std::string(rxe::name(static_cast<rxe::WcStatus>(task.error)));
    default:
      return "unfinished";
  }
}

}  // namespace

void Experiment::write(ResultsWriter& writer) {
  write_fabric(writer);
  write_messages(writer);
  write_spans(writer);
  write_samples(writer);
  write_counters(writer);
  write_findings(writer);
}

void Experiment::write_fabric(ResultsWriter& writer) const {
  const Topology& topology = scenario_.topology;
  for (std::uint32_t i = 0; i < topology.node_count(); ++i) {
    const TopologyNode& node = topology.nodes[i];
    NodeRecord record;
    record.id = i;
    record.is_switch = !topology.is_host(i);
    record.name = node.name;
    record.tier = node.tier;
    record.pod = node.group;
    record.x = node.x;
    record.y = node.y;
    writer.node(record);
  }
  for (std::uint32_t i = 0; i < topology.links.size(); ++i) {
    const TopologyLink& link = topology.links[i];
    writer.link({i, link.a, link.a_port, link.b, link.b_port, link.rate_bps, link.delay});
  }
}

void Experiment::write_messages(ResultsWriter& writer) {
  PathFinder finder(scenario_.topology);
  const PacketShape packets = shape();
  for (TaskId id = 0; id < scenario_.plan.size(); ++id) {
    const Task& task = scenario_.plan.task(id);
    if (task.kind != TaskKind::kSend || task.begin_ps == kNoTime) continue;
    const std::vector<PathLink>& path = finder.path(task.host, task.peer);
    const std::string status = status_text(task);
    FlowRecord record;
    record.id = id;
    record.source = task.host;
    record.destination = task.peer;
    record.bytes = task.bytes;
    record.start = TimePoint::from_ps(task.begin_ps);
    if (task.end_ps != kNoTime) record.finish = TimePoint::from_ps(task.end_ps);
    record.ideal = Duration::ps(static_cast<std::int64_t>(ideal_completion_ps(path, task.bytes, packets)));
    record.retransmitted_packets = task.resent;
    record.priority = task.priority;
    record.status = status;
    record.tag = scenario_.workloads[task.workload].name;
    writer.flow(record);
  }
}

void Experiment::write_spans(ResultsWriter& writer) const {
  const auto spans = scenario_.plan.spans();
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const PlanSpan& span = spans[i];
    const std::uint64_t begin = scenario_.plan.task(span.from).end_ps;
    const std::uint64_t end = scenario_.plan.task(span.to).end_ps;
    if (begin == kNoTime) continue;
    SpanRecord record;
    record.id = i;
    record.group = scenario_.workloads[span.workload].name;
    record.lane = span.lane;
    record.operation = span.operation;
    record.label = span.label;
    record.node = span.host;
    record.start = TimePoint::from_ps(begin);
    if (end != kNoTime) record.finish = TimePoint::from_ps(end);
    record.bytes = span.bytes;
    writer.span(record);
  }
}

void Experiment::write_samples(ResultsWriter& writer) const {
  const Topology& topology = scenario_.topology;
  const Adjacency adjacency(topology);
  if (scenario_.sampling.interval_ps == 0) {
    // Without samples, one row a link for the whole run.
    for (std::uint32_t node = 0; node < topology.node_count(); ++node) {
      for (std::uint32_t port = 0; port < adjacency.port_count(node); ++port) {
        const PortCounters counters = topology.is_host(node)
                                          ? network_->hosts()[node]->port().counters()
                                          : network_->switches()[node - topology.host_count]->port(port).counters();
        const PortLink at = link_of(topology, adjacency, node, port);
        const std::uint64_t bytes = counters.tx_bytes + counters.tx_packets * kEthernetGapBytes;
        if (bytes != 0) writer.link_sample({TimePoint(), outcome_.now, at.link, at.is_b, bytes});
      }
    }
  }
  for (std::uint32_t s = 0; s < network_->switches().size(); ++s) {
    const std::uint32_t node = topology.host_count + s;
    const SwitchSamples& samples = network_->switches()[s]->samples();
    for (const QueueLengthSample& q : samples.queues) {
      writer.queue_sample({TimePoint::from_ps(q.at_ps), node, q.port, q.priority, q.bytes, q.bytes_max});
    }
    for (const PausedSample& p : samples.pauses) {
      writer.pause_sample({TimePoint::from_ps(p.start_ps), TimePoint::from_ps(p.end_ps), node, p.port, p.priority,
                           Duration::ps(static_cast<std::int64_t>(p.paused_ps)), p.frames});
    }
    for (const TrafficSample& t : samples.traffic) {
      const PortLink at = link_of(topology, adjacency, node, t.port);
      writer.link_sample(
          {TimePoint::from_ps(t.start_ps), TimePoint::from_ps(t.end_ps), at.link, at.is_b != t.received, t.bytes});
    }
  }
}

void Experiment::write_counters(ResultsWriter& writer) const {
  const auto counter = [&](std::optional<std::uint32_t> node, std::optional<std::uint32_t> port, std::string_view name,
                           std::uint64_t value) {
    if (value != 0) writer.counter({node, port, name, value});
  };
  for (std::uint32_t h = 0; h < network_->hosts().size(); ++h) {
    const HostCounters& c = network_->hosts()[h]->counters();
    counter(h, std::nullopt, "posted", c.posted);
    counter(h, std::nullopt, "completed", c.completed);
    counter(h, std::nullopt, "failed", c.failed);
    counter(h, std::nullopt, "tx_packets", c.tx_packets);
    counter(h, std::nullopt, "tx_payload_bytes", c.tx_payload);
    counter(h, std::nullopt, "rx_packets", c.rx_packets);
    counter(h, std::nullopt, "rx_payload_bytes", c.rx_payload);
    counter(h, std::nullopt, "rx_trimmed", c.rx_trimmed);
    counter(h, std::nullopt, "rx_buffer_full", c.rx_buffer_full);
    if (const rxe::Device* engine = network_->hosts()[h]->engine(); engine != nullptr) {
      counter(h, std::nullopt, "resent_packets", engine->counters().resent_pkts);
    }
  }
  for (std::uint32_t s = 0; s < network_->switches().size(); ++s) {
    const std::uint32_t node = scenario_.topology.host_count + s;
    for_each_counter(
        *network_->switches()[s], outcome_.now,
        [&](unsigned port, std::string_view name, std::uint64_t value) { counter(node, port, name, value); });
  }
  const Totals sums = totals();
  counter(std::nullopt, std::nullopt, "messages", sums.messages);
  counter(std::nullopt, std::nullopt, "messages_done", sums.messages_done);
  counter(std::nullopt, std::nullopt, "messages_failed", sums.messages_failed);
  counter(std::nullopt, std::nullopt, "drops", sums.drops);
  counter(std::nullopt, std::nullopt, "ecn_marked", sums.ecn_marked);
  counter(std::nullopt, std::nullopt, "pauses", sums.pauses);
}

void Experiment::write_findings(ResultsWriter& writer) const {
  const auto name_of_node = [&](NodeId node) { return scenario_.topology.nodes[node].name; };
  struct Found {
    TimePoint at;
    Severity severity;
    std::string kind;
    std::optional<std::uint32_t> node, port;
    std::string text;
  };
  std::vector<Found> all;
  for (const RoutingFinding& f : network_->fabric().routing_findings()) {
    all.push_back({f.at, Severity::kWarning, rocelab::sim::name(f.kind), std::nullopt, std::nullopt, f.text});
  }
  for (const auto& node : network_->switches()) {
    for (const Finding& f : node->findings()) {
      const bool grave = f.kind == FindingKind::kDeadlock || f.kind == FindingKind::kLosslessDrop;
      all.push_back({f.at, grave ? Severity::kError : Severity::kWarning, rocelab::sim::name(f.kind), f.where.node,
                     f.where.port, to_string(f, name_of_node)});
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const Found& a, const Found& b) { return a.at < b.at; });
  for (const Found& f : all) writer.finding({f.at, f.severity, f.kind, f.node, f.port, f.text});
  for (const std::string& text : violations()) {
    writer.finding({outcome_.now, Severity::kError, "invariant", std::nullopt, std::nullopt, text});
  }
  const Totals sums = totals();
  if (sums.messages_failed != 0) {
    const std::string text = fmt::format("{} messages ended with an error", sums.messages_failed);
    writer.finding({outcome_.now, Severity::kError, "messages_failed", std::nullopt, std::nullopt, text});
  }
  if (status_ == RunStatus::kFailed) {
    const std::string text = stuck();
    writer.finding({outcome_.now, Severity::kError, "stuck", std::nullopt, std::nullopt, text});
  }
}

}  // namespace rocelab::sim
