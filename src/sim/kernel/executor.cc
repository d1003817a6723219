// The part of executors that does not depend on how partitions run at the same time; the serial one.

#include "sim/kernel/executor.h"

#include <vector>

namespace rocelab::sim {

void run_round(std::span<const std::unique_ptr<Partition>> partitions, unsigned index, const Round& round) {
  Partition& mine = *partitions[index];
  for (const auto& other : partitions) mine.receive(other->outgoing(index, round.parity ^ 1));
  mine.run_window(round.limit_ps, round.events_max, round.parity);
}

Report report_of(const Partition& partition, unsigned parity) {
  return {partition.next_time_ps(parity), partition.stop_at_ps(), partition.events(), partition.now_ps()};
}

void SerialExecutor::run(std::span<const std::unique_ptr<Partition>> partitions, RoundControl& control) {
  std::vector<Report> reports;
  for (const auto& partition : partitions) reports.push_back(report_of(*partition, 0));
  while (true) {
    const Round round = control.next(reports);
    if (round.finished) return;
    for (unsigned i = 0; i < partitions.size(); ++i) run_round(partitions, i, round);
    for (unsigned i = 0; i < partitions.size(); ++i) reports[i] = report_of(*partitions[i], round.parity);
  }
}

}  // namespace rocelab::sim
