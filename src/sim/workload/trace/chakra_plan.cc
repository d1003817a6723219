// From traces to tasks. See chakra.h.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>

#include "sim/workload/trace/chakra.h"

namespace rocelab::sim {

namespace {

/// A node in the plan: what begins it and what ends it.
struct Placed {
  TaskId entry = kNoTask;
  TaskId exit = kNoTask;
};

class Builder {
 public:
  Builder(Plan& plan, const TraceWorkload& trace) : plan_(plan), trace_(trace), placed_(trace.ranks.size()) {}

  base::TextResult<void> build() {
    for (std::uint32_t r = 0; r < ranks(); ++r) {
      placed_[r].resize(trace_.ranks[r].size());
      index_.emplace_back();
      for (std::uint32_t i = 0; i < trace_.ranks[r].size(); ++i) {
        if (!index_[r].emplace(trace_.ranks[r][i].id, i).second) {
          return wrong(r, trace_.ranks[r][i], "is there twice");
        }
      }
      if (const auto order = check_order(r); !order) return order;
    }
    for (std::uint32_t r = 0; r < ranks(); ++r) {
      for (std::uint32_t i = 0; i < trace_.ranks[r].size(); ++i) {
        if (const auto done = place(r, i); !done) return done;
      }
    }
    if (const auto matched = match_messages(); !matched) return matched;
    if (const auto matched = match_collectives(); !matched) return matched;
    connect();
    return {};
  }

 private:
  using Channel = std::tuple<std::uint32_t, std::uint32_t, std::uint64_t>;  // from, to, tag
  struct Waiting {
    std::uint32_t rank;
    std::uint32_t index;
  };

  std::uint32_t ranks() const { return static_cast<std::uint32_t>(trace_.ranks.size()); }
  const TraceNode& node(const Waiting& w) const { return trace_.ranks[w.rank][w.index]; }

  static tl::unexpected<std::string> wrong(std::uint32_t rank, const TraceNode& node, std::string_view what) {
    return base::fail_text(fmt::format("rank {}: node {} `{}`: {}", rank, node.id, node.name, what));
  }

  /// Every dependency exists, and they do not go round in a circle (Kahn's algorithm).
  base::TextResult<void> check_order(std::uint32_t r) const {
    const auto& nodes = trace_.ranks[r];
    std::vector<std::vector<std::uint32_t>> later(nodes.size());
    std::vector<std::size_t> open(nodes.size());
    for (std::uint32_t i = 0; i < nodes.size(); ++i) {
      open[i] = nodes[i].dependencies.size();
      for (const std::uint64_t id : nodes[i].dependencies) {
        const auto found = index_[r].find(id);
        if (found == index_[r].end())
          return wrong(r, nodes[i], fmt::format("depends on node {}, which is missing", id));
        later[found->second].push_back(i);
      }
    }
    std::vector<std::uint32_t> ready;
    for (std::uint32_t i = 0; i < nodes.size(); ++i) {
      if (open[i] == 0) ready.push_back(i);
    }
    std::size_t done = 0;
    while (!ready.empty()) {
      const std::uint32_t i = ready.back();
      ready.pop_back();
      ++done;
      for (const std::uint32_t next : later[i]) {
        if (--open[next] == 0) ready.push_back(next);
      }
    }
    for (std::uint32_t i = 0; i < nodes.size(); ++i) {
      if (done != nodes.size() && open[i] != 0) return wrong(r, nodes[i], "its dependencies go round in a circle");
    }
    return {};
  }

  base::TextResult<void> place(std::uint32_t r, std::uint32_t i) {
    const TraceNode& n = trace_.ranks[r][i];
    Placed& at = placed_[r][i];
    at.entry = plan_.delay(trace_.workload, trace_.hosts[r], 0);
    at.exit = at.entry;
    switch (n.kind) {
      case TraceNodeKind::kCompute:
        if (n.duration_ps == 0) break;
        at.exit = plan_.delay(trace_.workload, trace_.hosts[r], n.duration_ps);
        plan_.after(at.exit, at.entry);
        bar(r, at, n, "compute");
        break;
      case TraceNodeKind::kSend:
      case TraceNodeKind::kReceive: {
        const bool sends = n.kind == TraceNodeKind::kSend;
        if (n.peer >= ranks() || n.peer == r) {
          return wrong(r, n, fmt::format("its peer is rank {}; there are {} ranks", n.peer, ranks()));
        }
        at.exit = plan_.delay(trace_.workload, trace_.hosts[r], 0);
        plan_.after(at.exit, at.entry);
        auto& queue = (sends ? sends_ : receives_)[sends ? Channel{r, n.peer, n.tag} : Channel{n.peer, r, n.tag}];
        queue.push_back({r, i});
        break;
      }
      case TraceNodeKind::kCollective: {
        if (!n.group.empty() && !trace_.groups.empty() && trace_.groups.count(n.group) == 0) {
          return wrong(r, n, fmt::format("there is no process group `{}`", n.group));
        }
        at.exit = plan_.delay(trace_.workload, trace_.hosts[r], 0);
        collectives_[trace_.groups.empty() ? std::string() : n.group][r].push_back({r, i});
        break;
      }
      case TraceNodeKind::kOther:
        break;
    }
    return {};
  }

  base::TextResult<void> match_messages() {
    for (auto& [channel, sends] : sends_) {
      auto& receives = receives_[channel];
      if (sends.size() != receives.size()) {
        const Waiting& odd = sends.size() > receives.size() ? sends[receives.size()] : receives[sends.size()];
        return wrong(odd.rank, node(odd),
                     fmt::format("{} sends with tag {} from rank {} to rank {} meet {} receives", sends.size(),
                                 std::get<2>(channel), std::get<0>(channel), std::get<1>(channel), receives.size()));
      }
      for (std::size_t i = 0; i < sends.size(); ++i) {
        const Placed& from = placed_[sends[i].rank][sends[i].index];
        const Placed& to = placed_[receives[i].rank][receives[i].index];
        const Plan::Message made =
            plan_.message(trace_.workload, trace_.hosts[sends[i].rank], trace_.hosts[receives[i].rank],
                          std::max<std::uint64_t>(node(sends[i]).bytes, 1), 0, trace_.priority);
        plan_.after(made.send, from.entry);
        plan_.after(from.exit, made.send);
        plan_.after(to.exit, made.receive);
        bar(sends[i].rank, from, node(sends[i]), "send");
        bar(receives[i].rank, to, node(receives[i]), "receive");
      }
    }
    for (const auto& [channel, receives] : receives_) {
      if (sends_.count(channel) == 0 && !receives.empty()) {
        return wrong(receives[0].rank, node(receives[0]), "nobody sends what it waits for");
      }
    }
    return {};
  }

  /// The k-th collective of a group at each of its ranks is one operation.
  base::TextResult<void> match_collectives() {
    for (auto& [group, by_rank] : collectives_) {
      std::vector<std::uint32_t> members;
      if (const auto named = trace_.groups.find(group); named != trace_.groups.end()) {
        members = named->second;
      } else {
        for (std::uint32_t r = 0; r < ranks(); ++r) members.push_back(r);
      }
      std::vector<std::uint32_t> sorted = members;
      std::sort(sorted.begin(), sorted.end());
      if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
        return base::fail_text(fmt::format("group `{}` names a rank twice", group));
      }
      const std::size_t count = by_rank.begin()->second.size();
      for (const std::uint32_t r : members) {
        if (r >= ranks()) return base::fail_text(fmt::format("group `{}`: there is no rank {}", group, r));
        if (by_rank[r].size() != count) {
          return base::fail_text(fmt::format("group `{}`: rank {} takes part in {} collectives, rank {} in {}", group,
                                             r, by_rank[r].size(), by_rank.begin()->first, count));
        }
      }
      for (const auto& [r, waiting] : by_rank) {
        if (!waiting.empty() && std::find(members.begin(), members.end(), r) == members.end()) {
          return wrong(r, node(waiting[0]), fmt::format("rank {} is not of the process group `{}`", r, group));
        }
      }
      for (std::size_t k = 0; k < count; ++k) {
        if (const auto added = add_operation(members, by_rank, k); !added) return added;
      }
    }
    return {};
  }

  base::TextResult<void> add_operation(const std::vector<std::uint32_t>& members,
                                       std::map<std::uint32_t, std::vector<Waiting>>& by_rank, std::size_t k) {
    const TraceNode& first = node(by_rank[members[0]][k]);
    CollectiveRequest request;
    request.operation = first.collective;
    request.bytes = first.bytes;
    if (possible(first.collective, trace_.algorithm)) request.algorithm = trace_.algorithm;
    request.workload = trace_.workload;
    request.priority = trace_.priority;
    request.label = first.name;
    for (const std::uint32_t r : members) {
      const TraceNode& mine = node(by_rank[r][k]);
      if (mine.collective != first.collective || mine.bytes != first.bytes) {
        return wrong(r, mine, fmt::format("does not match node {} of rank {}", first.id, members[0]));
      }
      request.ranks.push_back(trace_.hosts[r]);
      request.lanes.push_back(r);
      request.entries.push_back(placed_[r][by_rank[r][k].index].entry);
    }
    const std::vector<TaskId> exits = add_collective(plan_, request);
    for (std::size_t m = 0; m < members.size(); ++m) {
      plan_.after(placed_[members[m]][by_rank[members[m]][k].index].exit, exits[m]);
    }
    return {};
  }

  void connect() {
    for (std::uint32_t r = 0; r < ranks(); ++r) {
      TaskId start = kNoTask;
      if (trace_.start_ps > 0) start = plan_.delay(trace_.workload, trace_.hosts[r], trace_.start_ps);
      for (std::uint32_t i = 0; i < trace_.ranks[r].size(); ++i) {
        const TraceNode& n = trace_.ranks[r][i];
        if (n.dependencies.empty()) plan_.after(placed_[r][i].entry, start);
        for (const std::uint64_t id : n.dependencies)
          plan_.after(placed_[r][i].entry, placed_[r][index_[r].at(id)].exit);
      }
    }
  }

  void bar(std::uint32_t r, const Placed& at, const TraceNode& n, std::string_view operation) {
    PlanSpan span;
    span.workload = trace_.workload;
    span.lane = r;
    span.host = trace_.hosts[r];
    span.from = at.entry;
    span.to = at.exit;
    span.bytes = n.bytes;
    span.operation = operation;
    span.label = n.name;
    plan_.span(std::move(span));
  }

  Plan& plan_;
  const TraceWorkload& trace_;
  std::vector<std::vector<Placed>> placed_;
  std::vector<std::unordered_map<std::uint64_t, std::uint32_t>> index_;  // id -> index, looked up only
  std::map<Channel, std::vector<Waiting>> sends_, receives_;
  std::map<std::string, std::map<std::uint32_t, std::vector<Waiting>>> collectives_;
};

}  // namespace

base::TextResult<void> add_trace(Plan& plan, const TraceWorkload& trace) { return Builder(plan, trace).build(); }

}  // namespace rocelab::sim
