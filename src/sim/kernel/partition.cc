// A window of one partition, and its mail.

#include "sim/kernel/partition.h"

#include <algorithm>
#include <cstddef>

namespace rocelab::sim {
namespace {

/// Events between a node's prepare() and handle_event(): enough for memory to answer.
constexpr std::size_t kPrepareAhead = 3;
/// Events between the fetching of a node's first cache lines and its prepare(), which reads them.
constexpr std::size_t kFetchAhead = 6;
constexpr std::size_t kFetchLines = 4;

void fetch(const Node* node) {
  constexpr std::size_t kLine = 64;
  const auto* lines = reinterpret_cast<const std::byte*>(node);
  for (std::size_t i = 0; i < kFetchLines; ++i) __builtin_prefetch(lines + i * kLine, 1);
}

}  // namespace

Partition::Partition(unsigned index, unsigned partitions, const std::vector<std::uint16_t>& partition_of,
                     const std::vector<Node*>& nodes)
    : nodes_(nodes) {
  context_.partition_ = index;
  context_.partition_of_ = partitions > 1 ? partition_of.data() : nullptr;
  for (Context::Mail& mail : mail_) mail.resize(partitions);
}

void Partition::run_window(std::uint64_t limit_ps, std::uint64_t events_max, unsigned parity) {
  for (std::vector<Event>& box : mail_[parity]) box.clear();
  context_.outgoing_ = &mail_[parity];
  context_.limit_ps_ = limit_ps;
  Node* const* nodes = nodes_.data();
  std::uint64_t handled = 0;
  while (handled < events_max) {
    const Event* event = context_.queue_.pop(context_.limit_ps_);
    if (event == nullptr) break;
    ++handled;
    // What a simulation waits for is memory: it is fetched for later events while this one is handled.
    if (const Event* later = context_.queue_.ahead(kPrepareAhead + kFetchAhead)) {
      fetch(nodes[EventQueue::target_of(*later)]);
    }
    if (const Event* soon = context_.queue_.ahead(kPrepareAhead)) nodes[EventQueue::target_of(*soon)]->prepare(*soon);
    context_.now_ps_ = event->time_ps;
    context_.node_ = nodes[event->target];
    context_.node_->handle_event(context_, *event);
  }
  events_ += handled;
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
