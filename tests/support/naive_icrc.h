// A second ICRC, independent of src/: one bit at a time, written from the specification's description and sharing no
// code, table or constant with the first. Slow on purpose.
#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace rocelab::test {

using IcrcBytes = std::array<std::byte, 4>;

/// The four bytes that must end the RoCE packet in this Ethernet frame (which may have trailing padding). The frame
/// must be one whose lengths are right: nothing is checked here.
IcrcBytes naive_icrc(std::span<const std::byte> frame);

/// Where they are in the frame: the offset of the ICRC's first byte.
std::size_t icrc_offset(std::span<const std::byte> frame);

}  // namespace rocelab::test
