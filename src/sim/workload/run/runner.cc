// See runner.h.
#include "sim/workload/run/runner.h"

#include <algorithm>
#include <unordered_map>

namespace rocelab::sim {

namespace {

struct SharedKey {
  std::uint32_t low, high;
  std::uint8_t priority;
  bool operator==(const SharedKey&) const = default;
};
struct SharedKeyHash {
  std::size_t operator()(const SharedKey& key) const {
    std::uint64_t x = (std::uint64_t{key.low} << 32 | key.high) ^ (std::uint64_t{key.priority} << 28);
    x *= 0x9e3779b97f4a7c15u;
    return static_cast<std::size_t>(x ^ (x >> 29));
  }
};

}  // namespace

Runner::Runner(Plan& plan, std::span<const std::unique_ptr<Host>> hosts, Conductor& conductor)
    : plan_(plan), hosts_(hosts), conductor_(conductor), states_(hosts.size()) {}

void Runner::prepare(Simulation& simulation, const ConnectionPolicy& policy) {
  connections_.assign(plan_.size(), ~0u);
  // Looked up only, never walked: the order of its entries is not seen.
  std::unordered_map<SharedKey, std::pair<ConnectionId, ConnectionId>, SharedKeyHash> shared;
  for (TaskId id = 0; id < plan_.size(); ++id) {
    const Task& task = plan_.task(id);
    ++states_[task.host].open;
    if (task.unmet == 0 && task.kind != TaskKind::kReceive) starts_.push_back(id);
    if (task.kind != TaskKind::kSend) continue;
    ++sends_;
    if (task.message == kNoTask) {
      connections_[id] =
          connect(*hosts_[task.host], *hosts_[task.peer], policy.single(task.priority), this, this).first;
      continue;
    }
    const bool up = task.host <= task.peer;
    const SharedKey key{std::min(task.host, task.peer), std::max(task.host, task.peer), task.priority};
    const auto [entry, made] = shared.try_emplace(key);
    if (made) entry->second = connect(*hosts_[key.low], *hosts_[key.high], policy.shared(task.priority), this, this);
    connections_[id] = up ? entry->second.first : entry->second.second;
  }
  std::stable_sort(starts_.begin(), starts_.end(), [&](TaskId a, TaskId b) {
    const Task& x = plan_.task(a);
    const Task& y = plan_.task(b);
    return x.host != y.host ? x.host < y.host : x.delay_ps < y.delay_ps;
  });
  std::uint32_t at = 0, busy = 0;
  for (std::uint32_t host = 0; host < hosts_.size(); ++host) {
    HostState& state = states_[host];
    state.first_start = state.next_start = at;
    while (at < starts_.size() && plan_.task(starts_[at]).host == host) ++at;
    state.end_start = at;
    busy += state.open > 0 ? 1 : 0;
    if (state.next_start == state.end_start) continue;
    hosts_[host]->set_user(this);
    simulation.schedule_initial(TimePoint::from_ps(plan_.task(starts_[state.next_start]).delay_ps), host, kStarts, 0,
                                0);
  }
  for (std::uint32_t host = 0; host < hosts_.size(); ++host) {
    if (states_[host].open > 0) hosts_[host]->set_user(this);
  }
  conductor_.expect(busy);
}

void Runner::on_event(Host& host, Context& context, std::uint16_t kind, std::uint64_t argument) {
  if (kind == kStarts) return start_due(host, context);
  begin(host, context, static_cast<TaskId>(argument));
}

void Runner::start_due(Host& host, Context& context) {
  HostState& state = states_[host.index()];
  while (state.next_start < state.end_start) {
    const TaskId id = starts_[state.next_start];
    const std::uint64_t at = plan_.task(id).delay_ps;
    if (at > context.now().count_ps()) {
      return context.schedule(TimePoint::from_ps(at), host.id(), kStarts, 0, 0);
    }
    ++state.next_start;
    begin(host, context, id);
  }
}

/// Its dependencies are done: begins now, or after its delay.
void Runner::make_ready(Host& host, Context& context, TaskId id) {
  const Task& task = plan_.task(id);
  if (task.kind == TaskKind::kReceive && !task.arrived) return;
  if (task.delay_ps == 0) return begin(host, context, id);
  context.schedule(context.now() + Duration::ps(static_cast<std::int64_t>(task.delay_ps)), host.id(), kBegin, 0, id);
}

void Runner::begin(Host& host, Context& context, TaskId id) {
  Task& task = plan_.task(id);
  task.begin_ps = context.now().count_ps();
  task.status = TaskStatus::kRunning;
  if (task.kind != TaskKind::kSend) return end(host, context, id, TaskStatus::kDone);
  const bool notify = task.message != kNoTask;
  const auto posted = host.post_write(context, connections_[id], task.bytes, id, notify, notify ? task.message : 0);
  if (!posted) end(host, context, id, TaskStatus::kFailed);
}

void Runner::end(Host& host, Context& context, TaskId id, TaskStatus status) {
  HostState& state = states_[host.index()];
  Task& task = plan_.task(id);
  task.end_ps = context.now().count_ps();
  task.status = status;
  if (task.kind == TaskKind::kSend) {
    if (status == TaskStatus::kDone) {
      ++state.tally.sends_done;
      state.tally.bytes_done += task.bytes;
    } else {
      ++state.tally.sends_failed;
    }
  }
  if (--state.open == 0) conductor_.report(context);
  if (status != TaskStatus::kDone) return;
  // A list instead of recursion: a trace may have long chains of tasks that end at once.
  state.ended.push_back(id);
  if (state.following) return;
  state.following = true;
  while (!state.ended.empty()) {
    const TaskId done = state.ended.back();
    state.ended.pop_back();
    for (const TaskId next : plan_.successors(done)) {
      // One that waited for some of its dependencies alone may have begun without this one.
      std::uint32_t& unmet = plan_.task(next).unmet;
      if (unmet != 0 && --unmet == 0) make_ready(host, context, next);
    }
  }
  state.following = false;
}

void Runner::on_complete(Host& host, Context& context, ConnectionId connection, std::uint64_t user,
                         rxe::WcStatus status) {
  const auto id = static_cast<TaskId>(user);
  plan_.task(id).resent = host.resent_packets(connection);
  plan_.task(id).error = static_cast<std::uint8_t>(status);
  end(host, context, id, status == rxe::WcStatus::kSuccess ? TaskStatus::kDone : TaskStatus::kFailed);
}

void Runner::on_message(Host& host, Context& context, ConnectionId, std::uint32_t, std::uint32_t immediate) {
  Task& task = plan_.task(immediate);
  task.arrived = true;
  if (task.unmet == 0) make_ready(host, context, immediate);
}

Runner::Tally Runner::tally() const {
  Tally sum;
  for (const HostState& state : states_) {
    sum.sends_done += state.tally.sends_done;
    sum.sends_failed += state.tally.sends_failed;
    sum.bytes_done += state.tally.bytes_done;
  }
  return sum;
}

}  // namespace rocelab::sim
