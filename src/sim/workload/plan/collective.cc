// See collective.h. One function an algorithm; all are built of "rank a sends n bytes to rank b after these tasks".
#include "sim/workload/plan/collective.h"

#include <algorithm>
#include <cassert>

namespace rocelab::sim {

namespace {

/// A collective under construction: entry and exit of each rank, and messages between ranks.
class Builder {
 public:
  Builder(Plan& plan, const CollectiveRequest& request) : plan_(plan), request_(request) {
    const std::size_t count = request.ranks.size();
    for (std::size_t r = 0; r < count; ++r) {
      entries_.push_back(plan.delay(request.workload, request.ranks[r], 0));
      if (!request.entries.empty()) plan.after(entries_.back(), request.entries[r]);
      exits_.push_back(plan.delay(request.workload, request.ranks[r], 0));
      plan.after(exits_.back(), entries_.back());
    }
  }

  std::uint32_t ranks() const { return static_cast<std::uint32_t>(request_.ranks.size()); }
  TaskId entry(std::uint32_t rank) const { return entries_[rank]; }

  /// Sends when `earlier` (of rank `from`) is done; both ranks' exits wait for it. Returns the receiving task.
  TaskId message(std::uint32_t from, std::uint32_t to, std::uint64_t bytes, TaskId earlier,
                 std::uint64_t delay_ps = 0) {
    return message(from, to, bytes, std::vector<TaskId>{earlier}, delay_ps);
  }
  TaskId message(std::uint32_t from, std::uint32_t to, std::uint64_t bytes, const std::vector<TaskId>& earlier,
                 std::uint64_t delay_ps = 0) {
    const Plan::Message made = plan_.message(request_.workload, request_.ranks[from], request_.ranks[to],
                                             std::max<std::uint64_t>(bytes, 1), delay_ps, request_.priority);
    bool any = false;
    for (const TaskId task : earlier) {
      plan_.after(made.send, task);
      any = any || task != kNoTask;
    }
    if (!any) plan_.after(made.send, entries_[from]);
    plan_.after(exits_[from], made.send);
    plan_.after(exits_[to], made.receive);
    return made.receive;
  }

  /// Of `total` bytes cut into `parts`, the size of part `index`.
  static std::uint64_t part(std::uint64_t total, std::uint32_t parts, std::uint32_t index) {
    return total / parts + (index < total % parts ? 1 : 0);
  }

  std::uint64_t bytes() const { return request_.bytes; }
  std::uint64_t compute_ps() const { return request_.compute_ps; }
  std::uint32_t pieces() const { return request_.pieces; }

  std::vector<TaskId> finish() {
    for (std::uint32_t r = 0; r < ranks(); ++r) {
      PlanSpan span;
      span.workload = request_.workload;
      span.lane = request_.lanes.empty() ? r : request_.lanes[r];
      span.host = request_.ranks[r];
      span.from = entries_[r];
      span.to = exits_[r];
      span.bytes = request_.bytes;
      span.operation = name_of(request_.operation);
      span.label = request_.label;
      plan_.span(std::move(span));
    }
    return std::move(exits_);
  }

 private:
  Plan& plan_;
  const CollectiveRequest& request_;
  std::vector<TaskId> entries_;
  std::vector<TaskId> exits_;
};

/// Steps around the ring; in step s rank r passes on part (r - s + offset). `last` is what each rank waits for before
/// its first step; on return, the last part it received.
void ring_steps(Builder& b, std::vector<TaskId>& last, std::uint32_t offset, std::uint64_t first_delay_ps,
                std::uint64_t delay_ps) {
  const std::uint32_t n = b.ranks();
  for (std::uint32_t step = 0; step + 1 < n; ++step) {
    std::vector<TaskId> received(n);
    for (std::uint32_t r = 0; r < n; ++r) {
      const std::uint32_t index = (r + offset + n - step % n) % n;
      received[(r + 1) % n] =
          b.message(r, (r + 1) % n, Builder::part(b.bytes(), n, index), last[r], step == 0 ? first_delay_ps : delay_ps);
    }
    last = std::move(received);
  }
}

std::vector<TaskId> entries(const Builder& b) {
  std::vector<TaskId> out;
  for (std::uint32_t r = 0; r < b.ranks(); ++r) out.push_back(b.entry(r));
  return out;
}

void ring(Builder& b, bool reduce, bool gather) {
  std::vector<TaskId> last = entries(b);
  if (reduce) ring_steps(b, last, 0, 0, b.compute_ps());
  // After the reduction rank r holds part r + 1 complete.
  if (gather) ring_steps(b, last, reduce ? 1 : 0, reduce ? b.compute_ps() : 0, 0);
}

/// A binary tree in heap order; `rank` maps tree positions to ranks so that any root is possible.
void tree_down(Builder& b, std::uint32_t root, const std::vector<TaskId>& ready_at_root) {
  const std::uint32_t n = b.ranks();
  const auto rank = [&](std::uint32_t position) { return (position + root) % n; };
  for (std::uint32_t piece = 0; piece < b.pieces(); ++piece) {
    const std::uint64_t bytes = Builder::part(b.bytes(), b.pieces(), piece);
    std::vector<TaskId> have(n, kNoTask);
    have[0] = ready_at_root.empty() ? b.entry(rank(0)) : ready_at_root[piece];
    for (std::uint32_t position = 1; position < n; ++position) {
      const std::uint32_t parent = (position - 1) / 2;
      have[position] = b.message(rank(parent), rank(position), bytes, have[parent],
                                 parent == 0 && !ready_at_root.empty() ? b.compute_ps() : 0);
    }
  }
}

/// What the root waits for, piece by piece, is returned as one task a piece.
std::vector<TaskId> tree_up(Builder& b, Plan& plan, const CollectiveRequest& request) {
  const std::uint32_t n = b.ranks();
  std::vector<TaskId> done;
  for (std::uint32_t piece = 0; piece < b.pieces(); ++piece) {
    const std::uint64_t bytes = Builder::part(b.bytes(), b.pieces(), piece);
    std::vector<std::vector<TaskId>> children(n);
    for (std::uint32_t position = n - 1; position > 0; --position) {
      const std::uint64_t delay = children[position].empty() ? 0 : b.compute_ps();
      children[(position - 1) / 2].push_back(b.message(position, (position - 1) / 2, bytes, children[position], delay));
    }
    const TaskId joint = plan.delay(request.workload, request.ranks[0], 0);
    plan.after(joint, b.entry(0));
    for (const TaskId task : children[0]) plan.after(joint, task);
    done.push_back(joint);
  }
  return done;
}

void chain(Builder& b) {
  const std::uint32_t n = b.ranks();
  for (std::uint32_t piece = 0; piece < b.pieces(); ++piece) {
    TaskId have = b.entry(0);
    for (std::uint32_t r = 0; r + 1 < n; ++r) {
      have = b.message(r, r + 1, Builder::part(b.bytes(), b.pieces(), piece), have);
    }
  }
}

/// Recursive halving (reduce-scatter) and doubling (all-gather). Ranks beyond the largest power of two hand their
/// vector to a partner first and get the result from it at the end.
void halving_doubling(Builder& b, bool reduce, bool gather) {
  const std::uint32_t n = b.ranks();
  std::uint32_t power = 1;
  while (power * 2 <= n) power *= 2;
  std::vector<TaskId> last = entries(b);
  bool waits = false;  // what a rank holds was just received and has to be reduced first
  for (std::uint32_t r = power; r < n; ++r) {
    const std::uint64_t bytes = reduce ? b.bytes() : Builder::part(b.bytes(), n, r);
    last[r - power] = b.message(r, r - power, bytes, last[r]);
  }
  const auto exchange = [&](std::uint32_t mask, std::uint64_t bytes, bool reduces) {
    std::vector<TaskId> received(last);
    for (std::uint32_t r = 0; r < power; ++r) {
      received[r ^ mask] = b.message(r, r ^ mask, bytes, {last[r], b.entry(r)}, waits ? b.compute_ps() : 0);
    }
    last = std::move(received);
    waits = reduces;
  };
  if (reduce) {
    std::uint64_t bytes = b.bytes();
    waits = n > power;
    for (std::uint32_t mask = power / 2; mask > 0; mask /= 2) {
      bytes = (bytes + 1) / 2;
      exchange(mask, bytes, true);
    }
  }
  if (gather) {
    for (std::uint32_t mask = 1; mask < power; mask *= 2) {
      exchange(mask, std::max<std::uint64_t>(b.bytes() / power * mask, 1), false);
    }
  }
  for (std::uint32_t r = power; r < n; ++r) {
    const std::uint64_t bytes = gather ? b.bytes() : Builder::part(b.bytes(), n, r);
    b.message(r - power, r, bytes, {last[r - power], b.entry(r - power)}, waits ? b.compute_ps() : 0);
  }
}

void all_to_all(Builder& b, bool pairwise) {
  const std::uint32_t n = b.ranks();
  std::vector<TaskId> last = entries(b);
  for (std::uint32_t step = 1; step < n; ++step) {
    std::vector<TaskId> received(n);
    for (std::uint32_t r = 0; r < n; ++r) {
      const std::uint32_t to = (r + step) % n;
      received[to] = b.message(r, to, Builder::part(b.bytes(), n, to), last[r]);
    }
    if (pairwise) last = std::move(received);
  }
}

/// In round k each rank tells the one 2^k further on; after log2(n) rounds everybody has heard of everybody.
void dissemination(Builder& b) {
  const std::uint32_t n = b.ranks();
  std::vector<TaskId> last = entries(b);
  for (std::uint32_t distance = 1; distance < n; distance *= 2) {
    std::vector<TaskId> received(n);
    for (std::uint32_t r = 0; r < n; ++r) {
      received[(r + distance) % n] = b.message(r, (r + distance) % n, 1, {last[r], b.entry(r)});
    }
    last = std::move(received);
  }
}

CollectiveAlgorithm chosen(const CollectiveRequest& request) {
  if (request.algorithm != CollectiveAlgorithm::kDefault) return request.algorithm;
  switch (request.operation) {
    case Collective::kAllToAll:
      return CollectiveAlgorithm::kDirect;
    case Collective::kBroadcast:
      return CollectiveAlgorithm::kTree;
    case Collective::kBarrier:
      return CollectiveAlgorithm::kDissemination;
    default:
      return CollectiveAlgorithm::kRing;
  }
}

}  // namespace

std::string_view name_of(Collective operation) {
  constexpr std::string_view kNames[] = {"all_reduce", "all_gather", "reduce_scatter",
                                         "all_to_all", "broadcast",  "barrier"};
  return kNames[static_cast<std::size_t>(operation)];
}

std::string_view name_of(CollectiveAlgorithm algorithm) {
  constexpr std::string_view kNames[] = {"default", "ring",     "tree",         "halving_doubling",
                                         "direct",  "pairwise", "dissemination"};
  return kNames[static_cast<std::size_t>(algorithm)];
}

bool possible(Collective operation, CollectiveAlgorithm algorithm) {
  using A = CollectiveAlgorithm;
  switch (operation) {
    case Collective::kAllReduce:
      return algorithm == A::kDefault || algorithm == A::kRing || algorithm == A::kTree ||
             algorithm == A::kHalvingDoubling;
    case Collective::kAllGather:
    case Collective::kReduceScatter:
      return algorithm == A::kDefault || algorithm == A::kRing || algorithm == A::kHalvingDoubling;
    case Collective::kAllToAll:
      return algorithm == A::kDefault || algorithm == A::kDirect || algorithm == A::kPairwise;
    case Collective::kBroadcast:
      return algorithm == A::kDefault || algorithm == A::kTree || algorithm == A::kRing;
    case Collective::kBarrier:
      return algorithm == A::kDefault || algorithm == A::kDissemination;
  }
  return false;
}

std::vector<TaskId> add_collective(Plan& plan, const CollectiveRequest& request) {
  assert(possible(request.operation, request.algorithm));
  Builder b(plan, request);
  if (request.ranks.size() < 2) return b.finish();
  const CollectiveAlgorithm algorithm = chosen(request);
  switch (request.operation) {
    case Collective::kAllReduce:
    case Collective::kAllGather:
    case Collective::kReduceScatter: {
      const bool reduce = request.operation != Collective::kAllGather;
      const bool gather = request.operation != Collective::kReduceScatter;
      if (algorithm == CollectiveAlgorithm::kTree) {
        tree_down(b, 0, tree_up(b, plan, request));
      } else if (algorithm == CollectiveAlgorithm::kHalvingDoubling) {
        halving_doubling(b, reduce, gather);
      } else {
        ring(b, reduce, gather);
      }
      break;
    }
    case Collective::kAllToAll:
      all_to_all(b, algorithm == CollectiveAlgorithm::kPairwise);
      break;
    case Collective::kBroadcast:
      if (algorithm == CollectiveAlgorithm::kRing) {
        chain(b);
      } else {
        tree_down(b, 0, {});
      }
      break;
    case Collective::kBarrier:
      dissemination(b);
      break;
  }
  return b.finish();
}

}  // namespace rocelab::sim
