// htsim's connection matrices (`.cm`): who sends how much to whom and when, as plain data for the workload. The format:
//   Nodes 128 / Connections 2 / Triggers 1 / Failures 0        the counts, in any order
//   0->13 id 1 start 0 size 2000000 [send_done_trigger 1] [recv_done_trigger 1] [prio 3]     start in picoseconds
//   5->7 id 2 trigger 1 size 2000000                           begins when the trigger fires
//   trigger id 1 oneshot|multishot|barrier [count 5]
//   failure switch_type TOR|AGG|CORE switch_id 3 link_id 0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace rocelab::sim {

struct MatrixConnection {
  std::uint32_t source = 0;  ///< host
  std::uint32_t destination = 0;
  std::uint64_t bytes = 0;
  std::uint32_t id = 0;                  ///< 0: none given
  std::optional<base::TimePoint> start;  ///< without one it waits for `trigger`
  std::uint32_t trigger = 0;             ///< 0: none, likewise below
  std::uint32_t send_done_trigger = 0;   ///< is fired when the sender has everything acknowledged
  std::uint32_t receive_done_trigger = 0;
  std::optional<std::uint32_t> priority;
  bool added_on_trigger = false;  ///< "addon"
  std::uint32_t line = 0;         ///< in the file
};

enum class MatrixTriggerKind : std::uint8_t {
  kOneShot,    ///< the first firing starts all its connections
  kMultiShot,  ///< each firing starts the next of its connections
  kBarrier,    ///< the `count`-th firing starts all of them
};

struct MatrixTrigger {
  std::uint32_t id = 0;
  MatrixTriggerKind kind = MatrixTriggerKind::kOneShot;
  std::uint32_t count = 0;  ///< of a barrier
  std::uint32_t line = 0;   ///< in the file
};

struct MatrixFailure {
  std::uint8_t tier = 1;  ///< of the switch: 1 TOR, 2 AGG, 3 CORE
  std::uint32_t switch_id = 0;
  std::uint32_t link_id = 0;  ///< of the switch's uplinks
};

struct ConnectionMatrix {
  std::uint32_t nodes = 0;
  std::vector<MatrixConnection> connections;
  std::vector<MatrixTrigger> triggers;
  std::vector<MatrixFailure> failures;
};

/// `file` names the text in messages.
base::TextResult<ConnectionMatrix> parse_connection_matrix(std::string_view text, std::string_view file);

}  // namespace rocelab::sim
