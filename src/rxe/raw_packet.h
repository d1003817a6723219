// Raw packet QPs: whole Ethernet frames, out as they are posted and in as steering rules say (flow_table.h). No
// transport, no checksums, nothing is repeated.
#pragma once

#include <cstddef>
#include <span>

#include "rxe/engine.h"
#include "rxe/transmit.h"

namespace rocelab::rxe::raw_packet {

/// Offers the next frame.
Offer poll(Engine& engine, Qp& qp, TimePoint now, TxSink& sink);
/// A frame has arrived. true: a rule has taken it.
bool handle_frame(Engine& engine, TimePoint now, std::span<const std::byte> frame, bool roce);

}  // namespace rocelab::rxe::raw_packet
