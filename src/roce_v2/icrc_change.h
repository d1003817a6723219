// What a change of two bytes does to the ICRC, and which change explains a difference. A CRC is linear: the effect of a
// change depends on the changed bits and on their distance from the end alone, so that neither direction needs the
// packet. A sender uses it to correct an ICRC for a header field that it learns late; a receiver that cannot see the
// IPv4 identification (a UDP socket does not show it) asks whether one exists that makes the packet right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace rocelab::roce_v2 {

/// Distances that the functions below know: every RoCE packet's.
inline constexpr std::size_t kIcrcChangeBytesMax = 4400;

/// By what (xor) the ICRC changes when the two bytes that begin `distance` bytes before the ICRC change by `difference`
/// (xor, the first byte in the upper half). `distance`: a multiple of 4, at most kIcrcChangeBytesMax.
std::uint32_t icrc_change(std::uint16_t difference, std::size_t distance);

/// The inverse: the difference in these two bytes that changes the ICRC by `change`, if there is one. Of all changes,
/// one in 65,536 has one.
std::optional<std::uint16_t> explain_icrc_change(std::uint32_t change, std::size_t distance);

}  // namespace rocelab::roce_v2
