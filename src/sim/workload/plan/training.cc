// See training.h.
#include "sim/workload/plan/training.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace rocelab::sim {

namespace {

class Builder {
 public:
  Builder(Plan& plan, const TrainingStep& step) : plan_(plan), step_(step) {
    last_.assign(step.ranks.size(), kNoTask);
    if (step.start_ps > 0) {
      for (std::size_t r = 0; r < last_.size(); ++r) last_[r] = plan.delay(step.workload, step.ranks[r], step.start_ps);
    }
  }

  void run_step(std::uint32_t number) {
    forward_.assign(cells(), {});
    backward_.assign(cells(), {});
    // Stages agree on an order in which every message's sender comes before its receiver: walk all stages' schedules
    // in turns, taking what is ready.
    std::vector<std::vector<Work>> schedules;
    for (std::uint32_t stage = 0; stage < step_.pipeline; ++stage) schedules.push_back(schedule(stage));
    std::vector<std::size_t> next(step_.pipeline, 0);
    bool any = true;
    while (any) {
      any = false;
      for (std::uint32_t stage = 0; stage < step_.pipeline; ++stage) {
        while (next[stage] < schedules[stage].size() && ready(stage, schedules[stage][next[stage]])) {
          add(stage, schedules[stage][next[stage]++], number);
          any = true;
        }
      }
    }
    for (std::uint32_t stage = 0; stage < step_.pipeline; ++stage) assert(next[stage] == schedules[stage].size());
    reduce_gradients(number);
  }

 private:
  struct Work {
    bool backward;
    std::uint32_t micro_batch;
  };

  std::size_t cells() const { return std::size_t{step_.pipeline} * step_.micro_batches; }
  std::size_t cell(std::uint32_t stage, std::uint32_t micro) const {
    return std::size_t{stage} * step_.micro_batches + micro;
  }
  std::uint32_t stage_ranks() const { return step_.tensor * step_.data; }
  std::uint32_t rank(std::uint32_t stage, std::uint32_t in_stage) const { return stage * stage_ranks() + in_stage; }

  std::vector<Work> schedule(std::uint32_t stage) const {
    const std::uint32_t m = step_.micro_batches;
    std::vector<Work> out;
    const std::uint32_t warm_up =
        step_.schedule == PipelineSchedule::kGpipe ? m : std::min(m, step_.pipeline - stage - 1);
    for (std::uint32_t i = 0; i < warm_up; ++i) out.push_back({false, i});
    for (std::uint32_t i = warm_up; i < m; ++i) {
      out.push_back({false, i});
      out.push_back({true, i - warm_up});
    }
    for (std::uint32_t i = m - warm_up; i < m; ++i) out.push_back({true, i});
    return out;
  }

  bool ready(std::uint32_t stage, const Work& work) const {
    if (work.backward) {
      return forward_[cell(stage, work.micro_batch)].made &&
             (stage + 1 == step_.pipeline || backward_[cell(stage + 1, work.micro_batch)].made);
    }
    return stage == 0 || forward_[cell(stage - 1, work.micro_batch)].made;
  }

  void add(std::uint32_t stage, const Work& work, std::uint32_t number) {
    const std::string label = fmt::format("step {}, micro-batch {}", number + 1, work.micro_batch);
    std::vector<TaskId> done(stage_ranks());
    Made& made = (work.backward ? backward_ : forward_)[cell(stage, work.micro_batch)];
    for (std::uint32_t i = 0; i < stage_ranks(); ++i) {
      const std::uint32_t r = rank(stage, i);
      const std::uint32_t host = step_.ranks[r];
      const std::uint32_t from = work.backward ? stage + 1 : stage - 1;  // stage - 1 of stage 0 is not looked at
      const bool first = work.backward ? stage + 1 == step_.pipeline : stage == 0;
      const TaskId ready_task = plan_.delay(step_.workload, host, 0);
      plan_.after(ready_task, last_[r]);
      if (!first) {
        plan_.after(ready_task, (work.backward ? backward_ : forward_)[cell(from, work.micro_batch)].received[i]);
      }
      const TaskId compute = plan_.delay(step_.workload, host, work.backward ? step_.backward_ps : step_.forward_ps);
      plan_.after(compute, ready_task);
      bar(r, ready_task, compute, work.backward ? "backward" : "forward", label, 0);
      done[i] = compute;
    }
    if (step_.tensor > 1 && step_.tensor_bytes > 0) {
      for (std::uint32_t group = 0; group < step_.data; ++group) {
        CollectiveRequest request = all_reduce(step_.tensor_bytes, label);
        for (std::uint32_t t = 0; t < step_.tensor; ++t) {
          request.ranks.push_back(step_.ranks[rank(stage, group * step_.tensor + t)]);
          request.lanes.push_back(rank(stage, group * step_.tensor + t));
          request.entries.push_back(done[group * step_.tensor + t]);
        }
        const std::vector<TaskId> exits = add_collective(plan_, request);
        for (std::uint32_t t = 0; t < step_.tensor; ++t) done[group * step_.tensor + t] = exits[t];
      }
    }
    made.made = true;
    const bool last_stage = work.backward ? stage == 0 : stage + 1 == step_.pipeline;
    for (std::uint32_t i = 0; i < stage_ranks(); ++i) {
      last_[rank(stage, i)] = done[i];
      if (last_stage) continue;
      const std::uint32_t to = work.backward ? stage - 1 : stage + 1;
      const Plan::Message sent = plan_.message(step_.workload, step_.ranks[rank(stage, i)], step_.ranks[rank(to, i)],
                                               std::max<std::uint64_t>(step_.activation_bytes, 1), 0, step_.priority);
      plan_.after(sent.send, done[i]);
      made.received.push_back(sent.receive);
    }
  }

  void reduce_gradients(std::uint32_t number) {
    if (step_.data < 2 || step_.gradient_bytes == 0) return;
    for (std::uint32_t stage = 0; stage < step_.pipeline; ++stage) {
      for (std::uint32_t t = 0; t < step_.tensor; ++t) {
        CollectiveRequest request = all_reduce(step_.gradient_bytes, fmt::format("step {}, gradients", number + 1));
        for (std::uint32_t d = 0; d < step_.data; ++d) {
          request.ranks.push_back(step_.ranks[rank(stage, d * step_.tensor + t)]);
          request.lanes.push_back(rank(stage, d * step_.tensor + t));
          request.entries.push_back(last_[rank(stage, d * step_.tensor + t)]);
        }
        const std::vector<TaskId> exits = add_collective(plan_, request);
        for (std::uint32_t d = 0; d < step_.data; ++d) last_[rank(stage, d * step_.tensor + t)] = exits[d];
      }
    }
  }

  CollectiveRequest all_reduce(std::uint64_t bytes, std::string label) const {
    CollectiveRequest request;
    request.operation = Collective::kAllReduce;
    request.algorithm = step_.algorithm;
    request.bytes = bytes;
    request.workload = step_.workload;
    request.priority = step_.priority;
    request.label = std::move(label);
    return request;
  }

  void bar(std::uint32_t r, TaskId from, TaskId to, std::string_view operation, const std::string& label,
           std::uint64_t bytes) {
    PlanSpan span;
    span.workload = step_.workload;
    span.lane = r;
    span.host = step_.ranks[r];
    span.from = from;
    span.to = to;
    span.bytes = bytes;
    span.operation = operation;
    span.label = label;
    plan_.span(std::move(span));
  }

  /// A stage's work on a micro-batch, once it is in the plan.
  struct Made {
    bool made = false;
    std::vector<TaskId> received;  ///< at the next stage, by rank within the stage
  };

  Plan& plan_;
  const TrainingStep& step_;
  std::vector<TaskId> last_;  ///< per rank: what it does at last so far
  std::vector<Made> forward_, backward_;
};

}  // namespace

void add_training(Plan& plan, const TrainingStep& step) {
  assert(step.ranks.size() == std::size_t{step.tensor} * step.data * step.pipeline);
  Builder builder(plan, step);
  for (std::uint32_t i = 0; i < step.steps; ++i) builder.run_step(i);
}

}  // namespace rocelab::sim
