// What happens to a QP as a whole: errors, flushes, draining, reset. IBTA vol 1, 10.3.1. The table of transitions that
// an application may ask for is in qp_state.h; here is what they, and failures, do.
#pragma once

#include "rxe/engine.h"

namespace rocelab::rxe {

/// To ERR: everything posted completes as flushed, in order (sends, then receives), with `reason` as vendor_err; what
/// the responder owed is forgotten, unless it is parting (a NAK explains the error to the peer). Nothing when in ERR.
void enter_error(Engine& engine, Qp& qp, TimePoint now, VendorError reason);
/// An asynchronous event of a QP, to everybody who has it open.
void notify(Engine& engine, const Qp& qp, EventType type);
/// The oldest send request completes with this status; then RC goes to ERR, UC and UD to SQE.
void fail_front(Engine& engine, Qp& qp, TimePoint now, WcStatus status, VendorError reason);
/// SQD: when everything begun is finished, says so (SQ_DRAINED).
void note_drained(Engine& engine, Qp& qp);
/// To RESET: as created, without completions.
void reset_qp(Engine& engine, Qp& qp);
/// After each step on behalf of a QP: takes it to ERR when a CQ has refused one of its completions.
inline bool needs_settling(const Qp& qp) { return qp.cq_overflowed && qp.state != QpState::kErr; }
void settle(Engine& engine, Qp& qp, TimePoint now);

}  // namespace rocelab::rxe
