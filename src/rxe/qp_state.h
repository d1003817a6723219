// The QP state machine as a table: which transitions exist, which attributes each of them demands and permits, and what
// a QP does in each state. Pure functions, used by modify_qp and by the data path. IBTA vol 1, 10.3.1 and 11.2.5.2
// (tables 91 ff.); the masks agree with what Linux's ib_modify_qp_is_ok demands. The whole matrix is compared with
// tests/rxe/golden/qp_state.txt.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "rxe/types.h"

namespace rocelab::rxe {

inline constexpr unsigned kQpStateCount = 7;
std::string_view name(QpState state);
std::string_view name(QpType type);

struct QpTransition {
  bool valid = false;
  std::uint32_t required = 0;  ///< qp_attr bits that must be given
  std::uint32_t optional = 0;  ///< qp_attr bits that may be given; kState always may
};
QpTransition qp_transition(QpType type, QpState from, QpState to);

/// May modify_qp with this mask take a QP of this type from its state `current` to `next`? EINVAL when not: no such
/// transition, an attribute is missing or out of place, or kCurState is given in a state that does not know it.
base::Result<void> check_modify(QpType type, QpState current, QpState next, std::uint32_t mask);

/// Names of qp_attr bits, "PKEY_INDEX|PORT", in the order of the bits; "-" for none.
std::string attribute_names(std::uint32_t mask);

// --- what a QP does in a state --------------------------------------------------------------------------------------
/// post_send is accepted (in SQE and ERR the request completes as flushed); otherwise EINVAL.
constexpr bool may_post_send(QpState state) {
  return state == QpState::kRts || state == QpState::kSqd || state == QpState::kSqe || state == QpState::kErr;
}
/// post_recv is accepted (in ERR the request completes as flushed); otherwise EINVAL.
constexpr bool may_post_recv(QpState state) { return state != QpState::kReset; }
/// Incoming requests (or datagrams) are processed and answered.
constexpr bool processes_requests(QpState state) {
  return state == QpState::kRtr || state == QpState::kRts || state == QpState::kSqd || state == QpState::kSqe;
}
/// Incoming acknowledgements and read responses are processed; messages already begun are finished.
constexpr bool processes_responses(QpState state) { return state == QpState::kRts || state == QpState::kSqd; }
/// New send requests may be begun.
constexpr bool begins_requests(QpState state) { return state == QpState::kRts; }
/// Send requests, queued ones and new ones, complete with kWrFlushErr.
constexpr bool flushes_sends(QpState state) { return state == QpState::kSqe || state == QpState::kErr; }
/// Receive requests, queued ones and new ones, complete with kWrFlushErr.
constexpr bool flushes_receives(QpState state) { return state == QpState::kErr; }

}  // namespace rocelab::rxe
