// How much buffer a lossless class needs beyond XOFF: what still arrives until the peer has obeyed the pause frame.
// Pure arithmetic, after the parts that IEEE 802.1Q, annex O names.
#pragma once

#include <cstdint>

namespace rocelab::qos {

struct PfcHeadroomInput {
  std::uint64_t rate_bps = 0;         ///< of the link
  std::uint64_t delay_ps = 0;         ///< one way, with what either end takes to handle a frame
  std::uint32_t frame_bytes_max = 0;  ///< the largest frame on the wire, preamble and gap included
  std::uint32_t pause_bytes = 84;     ///< the pause frame on the wire, likewise
};

/// Bytes that arrive after the frame that crossed the threshold had arrived, that frame included: a frame of the
/// largest size may have to leave before the pause frame, the pause frame takes its time, the delay passes, the peer
/// finishes the frame it had begun, and what it sent arrives a delay later.
constexpr std::uint64_t pfc_headroom_bytes(const PfcHeadroomInput& input) {
  const auto in_flight = static_cast<unsigned __int128>(input.delay_ps) * 2 * input.rate_bps;
  const std::uint64_t unit = 8'000'000'000'000;  // bits a byte times picoseconds a second
  return static_cast<std::uint64_t>((in_flight + unit - 1) / unit) + 3 * std::uint64_t{input.frame_bytes_max} +
         input.pause_bytes;
}

}  // namespace rocelab::qos
