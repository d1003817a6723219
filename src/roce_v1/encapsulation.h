// RoCE v1 (IBTA annex A16): Ethertype 0x8915, a GRH, then the transport headers; layer 2 only. "Transport" here is
// everything from the BTH to the end of the ICRC. Called by net/frame_codec; no state, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <tl/expected.hpp>

#include "wire/frame_error.h"
#include "wire/packet.h"

namespace rocelab::roce_v1 {

inline constexpr std::size_t kHeaderBytes = 40;  ///< the GRH

/// Writes the GRH to `out` for that many transport bytes.
void emit_headers(const wire::Path& path, std::size_t transport_bytes, std::byte* out);

/// Checks the GRH at the start of `bytes` (which may end in Ethernet padding), fills the network part of `path`, and
/// returns the transport's bytes.
tl::expected<std::span<const std::byte>, wire::FrameError> parse(std::span<const std::byte> bytes, wire::Path& path);

/// The ICRC of a packet that starts at its GRH and is `bytes_before_icrc` long (whole words) without the ICRC. Traffic
/// class, flow label, hop limit and the BTH's reserved byte count as ones (IBTA vol 1, 7.8.1).
std::uint32_t icrc(const std::byte* grh, std::size_t bytes_before_icrc);

}  // namespace rocelab::roce_v1
