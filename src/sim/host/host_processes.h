// The simulated processes of a host: fibers that make verbs calls (sim_device.h), and the processor time that these
// cost. Made when the first process is added. Owned by Host.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "sim/host/host_options.h"
#include "sim/kernel/process.h"

namespace rocelab::sim {

/// Told when a process of a host begins and ceases to run on the thread: whoever keeps things by thread, as the verbs
/// library keeps its devices, changes them then.
class ProcessHooks {
 public:
  virtual ~ProcessHooks() = default;
  virtual void enter(Host& host) = 0;
  virtual void leave(Host& host) = 0;
};

class HostProcesses {
 public:
  static constexpr std::size_t kStackBytes = 256 * 1024;

  explicit HostProcesses(Host& host) : host_(host), stacks_(kStackBytes) {}
  ~HostProcesses();
  HostProcesses(const HostProcesses&) = delete;
  HostProcesses& operator=(const HostProcesses&) = delete;

  std::uint16_t add(Process::Body body);
  void set_hooks(ProcessHooks* hooks) { hooks_ = hooks; }
  /// A kProcess event: starts the process or lets it go on.
  void handle_event(Context& context, const Event& event);
  /// A kNotify event: what happened at the host is visible to its processes.
  void wake_waiting(Context& context);
  /// Something has happened that a waiting process may wait for; it sees it after the profile's completion_write.
  void something_happened(Context& context);
  bool all_done() const;

  // --- for the process that runs -------------------------------------------------------------------------------------
  /// nullptr: none does.
  Process* running() { return running_; }
  /// The process has worked for so long; it pays when it next gives way.
  void charge(Duration work) { debts_[running_index_] = debts_[running_index_] + work; }
  void pay();
  /// Until something happens at the host, or `deadline`.
  void wait(TimePoint deadline);

 private:
  Host& host_;
  ProcessHooks* hooks_ = nullptr;
  FiberStacks stacks_;
  Condition happened_;
  std::deque<Process> processes_;
  std::vector<Duration> debts_;  ///< by process
  Process* running_ = nullptr;
  std::uint16_t running_index_ = 0;
};

}  // namespace rocelab::sim
