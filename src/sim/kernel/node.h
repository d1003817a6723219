// A logical process: a host or a switch. Its state is its own; it learns of the world by events alone and changes the
// world by scheduling events alone. That is what makes a run on several threads equal to one on a single thread.
#pragma once

#include <cstdint>

#include "sim/kernel/event.h"

namespace rocelab::sim {

class Context;

class Node {
 public:
  virtual ~Node() = default;
  virtual void handle_event(Context& context, const Event& event) = 0;
  /// The event will be handled soon, some others before it: the node may fetch into the cache what it will need, and
  /// must not change anything. What the argument points at has been fetched. Not always called.
  virtual void prepare(const Event& event) const { static_cast<void>(event); }
  /// Given by Simulation::add(), dense from 0.
  NodeId id() const { return id_; }

 private:
  friend class Context;
  friend class Simulation;
  NodeId id_ = kNoNode;
  std::uint64_t next_order_ = 0;  ///< order of the next event that this node creates
};

}  // namespace rocelab::sim
