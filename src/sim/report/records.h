// What a run reports, as plain records: src/sim/workload fills them in, the results writer stores them, one record a
// row (docs/results.md). Node ids are those of the simulation: hosts 0..H-1, then switches. Strings are only looked at
// during the call that takes the record. Times are picoseconds since the start of the simulated time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"

namespace rocelab::sim {

/// What is known before the run and the same whenever it is repeated. The number of threads and the time of day are
/// not among it: they do not change a result, so they must not change the file (RunCost has them).
struct RunInfo {
  std::string version;        ///< of rocelab
  std::uint64_t seed = 0;     ///< the one in force
  std::string scenario_name;  ///< a title, or the file's name without folders
  std::string scenario_text;  ///< the scenario file, as read
  /// Every parameter in force, defaults included, as (key, value as text): "switch.ecn.kmin_bytes", "100000". Comparing
  /// two runs names those that differ.
  std::vector<std::pair<std::string, std::string>> settings;
};

/// How a run came to its end.
enum class RunStatus : std::uint8_t {
  kComplete,     ///< no event was left, or every workload was done
  kTimeLimit,    ///< the scenario's `until` came first: as asked
  kInterrupted,  ///< Ctrl-C or the like: partial results
  kFailed,       ///< an invariant was broken or an error came up: partial results
};

struct RunSummary {
  RunStatus status = RunStatus::kComplete;
  std::string detail;               ///< a sentence where status alone does not say it
  base::TimePoint simulated;        ///< the simulated time reached
  std::uint64_t events = 0;         ///< handled, if the same on every number of threads; else 0
  std::uint64_t packets = 0;        ///< sent by hosts
  std::uint64_t packet_hops = 0;    ///< packets arrived anywhere, hosts and switches
  std::uint64_t payload_bytes = 0;  ///< delivered
};

/// What a run cost on this machine: never in the database, but in the file beside it (ResultsWriter::timing_path()).
struct RunCost {
  std::uint64_t started_unix_s = 0;  ///< time of day
  std::uint64_t wall_ns = 0;
  std::uint64_t cpu_ns = 0;  ///< all threads together
  std::uint64_t peak_memory_bytes = 0;
  unsigned threads = 1;
};

struct NodeRecord {
  std::uint32_t id = 0;
  bool is_switch = false;
  std::string_view name;   ///< "host3", "leaf1"
  std::uint32_t tier = 0;  ///< 0 host, 1 leaf, 2 ...
  std::uint32_t pod = 0;
  std::int32_t x = 0;  ///< position in the drawing, any scale; y grows upwards, away from the hosts
  std::int32_t y = 0;
};

struct LinkRecord {
  std::uint32_t id = 0;
  std::uint32_t a = 0;  ///< node
  std::uint32_t a_port = 0;
  std::uint32_t b = 0;  ///< node
  std::uint32_t b_port = 0;
  std::uint64_t rate_bps = 0;
  base::Duration delay;  ///< propagation, one way
};

/// A message from one host to another, from its start to the sender's completion.
struct FlowRecord {
  std::uint64_t id = 0;
  std::uint32_t source = 0;
  std::uint32_t destination = 0;
  std::uint64_t bytes = 0;
  base::TimePoint start;
  std::optional<base::TimePoint> finish;               ///< none: not finished when the run ended
  base::Duration ideal;                                ///< alone on the empty network
  std::optional<std::uint64_t> retransmitted_packets;  ///< none: not counted by flow
  std::uint8_t priority = 0;
  std::string_view status;  ///< "ok", "unfinished", or the completion's error ("RETRY_EXC_ERR")
  std::string_view tag;     ///< the workload it belongs to
};

/// A bar of a timeline: a rank's part in a step of a collective, a phase of a training step, a compute gap.
struct SpanRecord {
  std::uint64_t id = 0;
  std::string_view group;      ///< one timeline each: the workload's name
  std::uint32_t lane = 0;      ///< the row: the rank
  std::string_view operation;  ///< "all-reduce", "compute", ...: the colour
  std::string_view label;      ///< "step 3 of 14"
  std::uint32_t node = 0;      ///< the host of this rank
  base::TimePoint start;
  std::optional<base::TimePoint> finish;
  std::uint64_t bytes = 0;
};

/// One egress queue at one instant.
struct QueueSample {
  base::TimePoint at;
  std::uint32_t node = 0;
  std::uint32_t port = 0;
  std::uint8_t priority = 0;
  std::uint64_t bytes = 0;      ///< now
  std::uint64_t bytes_max = 0;  ///< highest since the sample before
};

/// How long a port was not allowed to send a priority because its peer had paused it. Only intervals with any need a
/// record.
struct PauseSample {
  base::TimePoint start;
  base::TimePoint end;
  std::uint32_t node = 0;  ///< the one that had to wait
  std::uint32_t port = 0;
  std::uint8_t priority = 0;
  base::Duration paused;     ///< within the interval
  std::uint64_t frames = 0;  ///< pause frames received in it
};

/// What a link carried in an interval, one direction. Only intervals with traffic need a record.
struct LinkSample {
  base::TimePoint start;
  base::TimePoint end;
  std::uint32_t link = 0;
  bool from_b = false;      ///< false: a to b
  std::uint64_t bytes = 0;  ///< on the wire: preamble, FCS and gap included
};

/// A number at the end of the run. `node` and `port` empty: of the whole run; `port` empty: of the node.
struct CounterRecord {
  std::optional<std::uint32_t> node;
  std::optional<std::uint32_t> port;
  std::string_view name;  ///< "ecn_marked_packets"
  std::uint64_t value = 0;
};

enum class Severity : std::uint8_t { kNote, kWarning, kError };

/// Something a person should know: a deadlock, a pause storm, a lost packet in a lossless class.
struct FindingRecord {
  base::TimePoint at;
  Severity severity = Severity::kNote;
  std::string_view kind;  ///< "pfc_deadlock"
  std::optional<std::uint32_t> node;
  std::optional<std::uint32_t> port;
  std::string_view text;  ///< one sentence
};

}  // namespace rocelab::sim
