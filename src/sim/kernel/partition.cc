// A window of one partition, and its mail.

#include "sim/kernel/partition.h"

#include <algorithm>

namespace rocelab::sim {
namespace {

constexpr std::size_t kPreparesFromNodes = 128;  // the state of fewer fits into the cache
constexpr std::size_t kFarEvents = 12;
constexpr std::size_t kNearEvents = 5;

}  // namespace

Partition::Partition(unsigned index, unsigned partitions, const std::vector<std::uint16_t>& partition_of,
                     const std::vector<Node*>& nodes)
    : upcoming_(kRing), nodes_(nodes) {
  context_.partition_ = index;
  context_.partition_of_ = partitions > 1 ? partition_of.data() : nullptr;
  for (Context::Mail& mail : mail_) mail.resize(partitions);
}

void Partition::run_window(std::uint64_t limit_ps, std::uint64_t events_max, unsigned parity) {
  for (std::vector<Event>& box : mail_[parity]) box.clear();
  context_.outgoing_ = &mail_[parity];
  context_.limit_ps_ = limit_ps;
  Node* const* nodes = nodes_.data();
  // What a large simulation waits for is memory: of the nodes that are next, while others are being handled.
  const bool prepares = nodes_.size() >= kPreparesFromNodes;
  std::uint64_t handled = 0;
  while (handled < events_max) {
    const Event* event = context_.queue_.pop(context_.limit_ps_);
    if (event == nullptr) break;
    ++handled;
    if (prepares) prepare_next();
    context_.now_ps_ = event->time_ps;
    context_.node_ = nodes[event->target];
    context_.node_->handle_event(context_, *event);
  }
  events_ += handled;
}

/// Keeps two distances: what events point at is fetched when they are some kFarEvents away, their nodes fetch the rest
/// when they are kNearEvents away.
inline void Partition::prepare_next() {
  const EventQueue& queue = context_.queue_;
  if (queue.batches() != batches_) {
    batches_ = queue.batches();
    opened_ = std::min(opened_ + queue.left_of_batch() + 1, shown_);
    all_shown_ = false;
  }
  const std::uint64_t left = queue.left_of_batch();
  const std::uint64_t present = opened_ > left ? opened_ - left : 0;
  if (shown_ < present + kFarEvents && !all_shown_) look_ahead();
  prepared_ = std::max(prepared_, present);
  if (prepared_ < shown_ && prepared_ < present + kNearEvents) {
    const Event& event = upcoming_[prepared_++ % kRing];
    nodes_[event.target]->prepare(event);
  }
}

void Partition::look_ahead() {
  const std::size_t shown = context_.queue_.look_ahead(shown_until_ps_, kFarEvents, [this](const Event& event) {
    __builtin_prefetch(reinterpret_cast<const void*>(static_cast<std::uintptr_t>(event.argument)), 1);
    Event& kept = upcoming_[shown_++ % kRing];
    kept = event;
    kept.target = EventQueue::target_of(event);
  });
  all_shown_ = shown < kFarEvents;
}

void Partition::receive(std::span<const Event> mail) {
  for (const Event& event : mail) context_.queue_.push(event);
}

void Partition::clear_outgoing() {
  for (Context::Mail& mail : mail_) {
    for (std::vector<Event>& box : mail) box.clear();
  }
}

std::uint64_t Partition::next_time_ps(unsigned parity) const {
  std::uint64_t earliest = context_.queue_.next_time_ps();
  for (const std::vector<Event>& box : mail_[parity]) {
    for (const Event& event : box) earliest = std::min(earliest, event.time_ps);
  }
  return earliest;
}

}  // namespace rocelab::sim
