// A thread a partition; the calling thread runs the first one and decides on the windows. Threads exist as long as
// run() does. Between windows they wait spinning for a moment, then asleep, so that a run on too few processors is slow
// but does not stand still.
#pragma once

#include <memory>
#include <span>

#include "sim/kernel/executor.h"

namespace rocelab::sim {

class ThreadExecutor final : public Executor {
 public:
  void run(std::span<const std::unique_ptr<Partition>> partitions, RoundControl& control) override;
};

}  // namespace rocelab::sim
