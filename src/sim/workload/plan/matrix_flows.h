// The flows of an htsim connection matrix as tasks, its triggers as dependencies between them.
//
// In htsim a trigger is known everywhere at once. Here hosts learn of each other by messages alone (plan.h), so a
// connection must begin at the source or at the destination of what fires its trigger: the source knows when its
// completion is there (send_done_trigger), the destination when the message is (recv_done_trigger). Each end uses what
// it knows, whichever of the two the file names; a trigger between strangers is refused.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "sim/fabric/topology/connection_matrix.h"
#include "sim/workload/plan/plan.h"

namespace rocelab::sim {

struct MatrixUse {
  std::string file;  ///< named in messages
  std::uint32_t host_count = 0;
  std::uint16_t workload = 0;
  std::uint8_t priority = 0;   ///< of connections that name none
  std::uint64_t start_ps = 0;  ///< added to each start
  bool rebase = false;         ///< the earliest start becomes 0 first
};

/// Adds all of it or, with a message that begins "FILE:LINE: ", nothing: for a host that is not there, a trigger that
/// nobody defines, connections that could never begin.
base::TextResult<void> add_matrix(Plan& plan, const ConnectionMatrix& matrix, const MatrixUse& use);

}  // namespace rocelab::sim
