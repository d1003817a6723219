// A scenario as the experiment needs it: everything checked, names resolved to numbers, the topology built and the plan
// made. load_scenario() reads the file and whatever files it names; nothing else of the simulator reads files.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sim/fabric/faults.h"
#include "sim/fabric/routing/routing.h"
#include "sim/fabric/switch/options.h"
#include "sim/fabric/topology/topology.h"
#include "sim/host/host_options.h"
#include "sim/workload/plan/plan.h"

namespace rocelab::sim {

/// How senders react to congestion; see docs/scenario.md for the parameters.
struct TransportSettings {
  rxe::QpType service = rxe::QpType::kRc;
  std::uint64_t payload_bytes = 0;  ///< of a full packet; 0: the path MTU
  std::uint64_t mtu_bytes = 1024;
  std::uint8_t priority = 3;
  std::uint8_t gid_index = 0;
  std::uint8_t timeout = 14;
  std::uint8_t retry_count = 7;
};

struct WorkloadInfo {
  std::string name;
  std::string kind;
};

/// What goes wrong at a host; faults of links and switches are the fabric's (sim/fabric/faults.h).
struct HostFault {
  enum class Kind : std::uint8_t {
    kPause,         ///< it does nothing at all
    kSlowReceiver,  ///< it takes no more than `rate_bps` off its NIC
  };
  Kind kind = Kind::kPause;
  std::uint32_t host = 0;
  std::uint64_t at_ps = 0;
  std::uint64_t until_ps = 0;  ///< 0: for ever
  std::uint64_t rate_bps = 0;
};

struct Sampling {
  std::uint64_t interval_ps = 0;  ///< 0: no samples
  bool automatic = true;          ///< nobody asked for them: only when results are written
};

struct Limits {
  std::uint64_t until_ps = 0;  ///< 0: until everything is done
};

struct Scenario {
  std::string name;
  std::string file;
  std::string text;
  std::vector<std::pair<std::string, std::string>> settings;  ///< every parameter in force
  std::uint64_t seed = 1;
  unsigned threads = 1;
  Topology topology;
  SwitchOptions switches;
  HostOptions hosts;
  std::string capture_path;  ///< HostOptions refers to it
  TransportSettings transport;
  RoutingOptions routing;
  bool reps = false;                                   ///< entropy by packet, recycled (see [routing])
  base::Duration convergence = base::Duration::ms(1);  ///< from a failure to the new tables
  std::vector<WorkloadInfo> workloads;
  Plan plan;
  std::vector<ExplicitRoute> routes;
  std::vector<Fault> faults;
  std::vector<std::uint32_t> fault_lines;  ///< of `faults`, in the file
  std::vector<HostFault> host_faults;
  Sampling sampling;
  Limits limits;
};

/// What the command line changes.
struct ScenarioOverrides {
  std::vector<std::string> assignments;  ///< "switch.alpha=0.5", as --set takes them
};

/// Reads `file` and all it names; relative names are relative to its folder. The message is one sentence with file,
/// line and key.
base::TextResult<std::unique_ptr<Scenario>> load_scenario(const std::string& file, const ScenarioOverrides& overrides);
/// The same from text; `file` names it in messages and gives the folder.
base::TextResult<std::unique_ptr<Scenario>> parse_scenario(const std::string& text, const std::string& file,
                                                           const ScenarioOverrides& overrides);

}  // namespace rocelab::sim
