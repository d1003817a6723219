// Nodes and graph of the toy model.
#include "tests/sim/kernel/phold.h"

#include <string>
#include <utility>

namespace rocelab::sim::test {
namespace {

constexpr std::uint16_t kJob = 1;
constexpr std::uint16_t kTimeout = 2;
constexpr std::uint16_t kStop = 3;

}  // namespace

class PholdNode final : public Node {
 public:
  PholdNode(std::uint64_t seed, std::size_t index) : rng_(seed, "node" + std::to_string(index)) {}
  void link(NodeId peer, std::uint64_t latency_ps) { links_.push_back({peer, latency_ps}); }

  void handle_event(Context& context, const Event& event) override {
    trace.push_back(event);
    if (event.kind == kStop) context.request_stop();
    if (event.kind != kJob) return;
    if (rng_.below(3) == 0) context.cancel(timer_);
    if (rng_.below(3) == 0) {
      timer_ = context.schedule_timer(context.now() + Duration::ps(coarse(2000)), kTimeout, 0, event.argument);
    }
    if (rng_.below(5) == 0) context.schedule(context.now(), id(), kTimeout, 1, event.argument);
    if (event.argument == 0 || links_.empty()) return;
    const Link& link = links_[rng_.below(links_.size())];
    const std::int64_t delay = static_cast<std::int64_t>(link.latency_ps) + (rng_.below(2) == 0 ? 0 : coarse(1000));
    context.schedule(context.now() + Duration::ps(delay), link.peer, kJob, 0, event.argument - 1);
  }

  std::vector<Event> trace;

 private:
  struct Link {
    NodeId peer;
    std::uint64_t latency_ps;
  };
  std::int64_t coarse(std::uint64_t bound) { return static_cast<std::int64_t>(rng_.below(bound) / 100 * 100); }

  base::Rng rng_;
  std::vector<Link> links_;
  TimerHandle timer_;
};

Phold::Phold(const PholdShape& shape, std::uint64_t seed) {
  base::Rng rng(seed, "phold");
  const unsigned all = shape.nodes + shape.leaves;
  for (unsigned i = 0; i < all; ++i) {
    nodes_.push_back(std::make_unique<PholdNode>(seed, i));
    simulation_.add(*nodes_.back());
  }
  const auto link = [&](NodeId a, NodeId b) {
    const std::uint64_t latency = shape.latency_ps * (1 + rng.below(3));
    nodes_[a]->link(b, latency);
    nodes_[b]->link(a, latency);
    simulation_.connect(a, b, Duration::ps(static_cast<std::int64_t>(latency)));
  };
  for (NodeId i = 1; i < shape.nodes; ++i) link(i, shape.chain ? i - 1 : static_cast<NodeId>(rng.below(i)));
  if (shape.chain) link(0, shape.nodes - 1);
  for (unsigned i = 0; i < shape.nodes && !shape.chain; ++i) {
    const auto a = static_cast<NodeId>(rng.below(shape.nodes));
    const auto b = static_cast<NodeId>(rng.below(shape.nodes));
    if (a != b) link(a, b);
  }
  for (NodeId i = shape.nodes; i < all; ++i) link(i, static_cast<NodeId>(rng.below(shape.nodes)));
  for (unsigned job = 0; job < shape.jobs; ++job) {
    simulation_.schedule_initial(TimePoint::from_ps(rng.below(10) * 100), static_cast<NodeId>(rng.below(all)), kJob, 0,
                                 shape.hops);
  }
  if (shape.stops) simulation_.schedule_initial(TimePoint::from_ps(5'000), 3 % all, kStop, 0, 0);
}

Phold::~Phold() = default;

RunOutcome Phold::run(unsigned partitions, Executor* executor, TimePoint until) {
  return simulation_.run(until, {partitions, executor, nullptr});
}

std::vector<std::vector<Event>> Phold::traces() const {
  std::vector<std::vector<Event>> out;
  for (const auto& node : nodes_) out.push_back(node->trace);
  return out;
}

std::string difference(const std::vector<std::vector<Event>>& a, const std::vector<std::vector<Event>>& b) {
  if (a.size() != b.size()) return "different numbers of nodes";
  for (std::size_t node = 0; node < a.size(); ++node) {
    const std::string where = "node " + std::to_string(node);
    for (std::size_t i = 0; i < a[node].size() && i < b[node].size(); ++i) {
      const Event& x = a[node][i];
      const Event& y = b[node][i];
      if (x.time_ps != y.time_ps || x.order != y.order || x.argument != y.argument || x.target != y.target ||
          x.kind != y.kind || x.port != y.port) {
        return where + ", event " + std::to_string(i) + ": " + std::to_string(x.time_ps) + " ps, order " +
               std::to_string(x.order) + " against " + std::to_string(y.time_ps) + " ps, order " +
               std::to_string(y.order);
      }
    }
    if (a[node].size() != b[node].size()) return where + ": different numbers of events";
  }
  return {};
}

}  // namespace rocelab::sim::test
