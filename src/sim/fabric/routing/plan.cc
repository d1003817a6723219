// Epochs of forwarding tables and the findings about them; see plan.h.
#include "sim/fabric/routing/plan.h"

#include <fmt/format.h>

#include <map>

#include "sim/fabric/routing/dependency.h"

namespace rocelab::sim {

namespace {

constexpr std::size_t kCycleShownMax = 16;  ///< switches of a cycle that a sentence names

class Planner {
 public:
  Planner(const RoutingMap& map, const RoutingPlanOptions& options)
      : map_(map), options_(options), down_(map.topology.links.size(), false) {}

  RoutingPlan plan(const std::vector<LinkTransition>& transitions) {
    add(base::TimePoint());
    for (std::size_t i = 0; i < transitions.size(); ++i) {
      down_[transitions[i].link] = !transitions[i].up;
      const bool last = i + 1 == transitions.size() || !(transitions[i + 1].at == transitions[i].at);
      if (last) add(transitions[i].at + options_.convergence);
    }
    return std::move(plan_);
  }

 private:
  void add(base::TimePoint at) {
    const auto known = known_.find(down_);
    if (known != known_.end()) {
      plan_.epochs.push_back({at, plan_.epochs[known->second].tables});
      return;
    }
    const RoutingTables* previous = plan_.epochs.empty() ? nullptr : &plan_.epochs.back().tables;
    RoutingTables tables = compute_tables(map_, down_, options_.paths, options_.routes, previous);
    known_.emplace(down_, plan_.epochs.size());
    plan_.epochs.push_back({at, std::move(tables)});
    judge(plan_.epochs.back());
  }

  void judge(const RoutingEpoch& epoch) {
    const auto node = [&](std::uint32_t index) -> const std::string& { return map_.topology.nodes[index].name; };
    if (const Unreachable u = find_unreachable(map_, epoch.tables, down_); u.pairs != 0) {
      find(RoutingFinding::Kind::kUnreachable, epoch.at,
           fmt::format("{} pairs of hosts have no path, the first is {} to {}", u.pairs, node(u.from), node(u.to)));
    }
    if (!options_.routes.empty()) {
      if (const BrokenRoute broken = find_broken_route(map_, epoch.tables); broken.found) {
        find(RoutingFinding::Kind::kRoutesLoop, epoch.at,
             fmt::format("the routes from {} to {} go round in a circle or end nowhere", node(broken.from),
                         node(broken.to)));
      }
    }
    if (!options_.lossless || may_deadlock_) return;
    const bool up_down =
        resolve_paths(map_.topology, options_.paths) == RoutingPaths::kUpDown && options_.routes.empty();
    const std::vector<Channel> cycle = up_down ? std::vector<Channel>() : find_dependency_cycle(map_, epoch.tables);
    if (cycle.empty()) return;
    may_deadlock_ = true;  // once is enough
    std::string text =
        fmt::format("under PFC the routes can deadlock, for {} ports can wait for each other: ", cycle.size());
    for (std::size_t i = 0; i < cycle.size() && i < kCycleShownMax; ++i) {
      text += node(map_.topology.host_count + cycle[i].switch_index) + " -> ";
    }
    text += cycle.size() > kCycleShownMax ? "..." : node(map_.topology.host_count + cycle.front().switch_index);
    find(RoutingFinding::Kind::kMayDeadlock, epoch.at, std::move(text));
  }

  void find(RoutingFinding::Kind kind, base::TimePoint at, std::string text) {
    plan_.findings.push_back({kind, at, std::move(text)});
  }

  const RoutingMap& map_;
  const RoutingPlanOptions& options_;
  std::vector<bool> down_;
  std::map<std::vector<bool>, std::size_t> known_;  ///< links down -> the epoch that has their tables
  RoutingPlan plan_;
  bool may_deadlock_ = false;
};

}  // namespace

const char* name(RoutingFinding::Kind kind) {
  switch (kind) {
    case RoutingFinding::Kind::kUnreachable:
      return "unreachable";
    case RoutingFinding::Kind::kRoutesLoop:
      return "routes_loop";
    case RoutingFinding::Kind::kMayDeadlock:
      return "routes_may_deadlock";
  }
  return "?";
}

RoutingPlan plan_routing(const RoutingMap& map, const RoutingPlanOptions& options,
                         const std::vector<LinkTransition>& transitions) {
  return Planner(map, options).plan(transitions);
}

base::TextResult<void> check_routes(const RoutingMap& map, const std::vector<ExplicitRoute>& routes) {
  const Topology& topology = map.topology;
  for (const ExplicitRoute& route : routes) {
    if (route.switch_index >= topology.switch_count()) {
      return base::fail_text(
          fmt::format("a route at switch {}: there are {}", route.switch_index, topology.switch_count()));
    }
    if (route.destination >= topology.host_count) {
      return base::fail_text(fmt::format("a route to host {}: there are {}", route.destination, topology.host_count));
    }
    const std::uint32_t node = topology.host_count + route.switch_index;
    const std::string& name = topology.nodes[node].name;
    if (route.ports.empty()) return base::fail_text(fmt::format("a route at {} without a port", name));
    for (const std::uint16_t port : route.ports) {
      if (port >= map.adjacency.port_count(node)) {
        return base::fail_text(
            fmt::format("a route by port {} of {}, which has {}", port, name, map.adjacency.port_count(node)));
      }
      const std::uint32_t peer = map.adjacency.port(node, port).peer;
      if (topology.is_host(peer) && peer != route.destination) {
        return base::fail_text(fmt::format("a route to {} by port {} of {}, where {} is",
                                           topology.nodes[route.destination].name, port, name,
                                           topology.nodes[peer].name));
      }
    }
  }
  return {};
}

}  // namespace rocelab::sim
