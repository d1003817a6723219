// Frames with contents that tell their number, and little loops around ports, for the tests of src/net.
#pragma once

#include <cstddef>
#include <cstdint>

#include "net/port.h"

namespace rocelab::net {

inline std::byte frame_byte(std::uint64_t number, std::size_t i) {
  return static_cast<std::byte>((number * 151 + i * 13 + (i >> 8)) & 0xff);
}

/// Commits frame `number` of `bytes`; false: no room. The caller flushes.
inline bool send_frame(Port& port, std::size_t bytes, std::uint64_t number) {
  std::byte* const room = port.tx_reserve(bytes);
  if (room == nullptr) return false;
  for (std::size_t i = 0; i < bytes; ++i) room[i] = frame_byte(number, i);
  port.tx_commit(bytes);
  return true;
}

inline bool frame_is(Frame frame, std::size_t bytes, std::uint64_t number) {
  if (frame.size() != bytes) return false;
  for (std::size_t i = 0; i < bytes; ++i) {
    if (frame[i] != frame_byte(number, i)) return false;
  }
  return true;
}

}  // namespace rocelab::net
