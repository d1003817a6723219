// Building one request packet of RC and UC in the QP's template.
#pragma once

#include "rxe/transmit.h"

namespace rocelab::rxe {

/// Fills the fields of qp.packet that change for the packet at `psn` of `wqe`, which is at `position` of the send queue
/// and whose pieces are translated. Nothing else changes but the cursor. false: on-demand memory is not there.
[[nodiscard]] bool build_request(Engine& engine, Qp& qp, const SendWqe& wqe, std::uint64_t position, std::uint64_t psn);
/// The payload [offset, offset + length) of a request at `position` of the send queue, as bytes or as a gather list in
/// engine.segments; `psn` is the packet's. false: on-demand memory is not there.
[[nodiscard]] bool set_payload(Engine& engine, Qp& qp, std::uint64_t position, const SendWqe& wqe, std::uint32_t offset,
                               std::uint32_t length, std::uint64_t psn);

}  // namespace rocelab::rxe
