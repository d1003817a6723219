// The bytes that a connection's sender sends when payload is real: a function of sender and position, so that the
// receiver knows what must have arrived.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "rxe/types.h"
#include "sim/kernel/event.h"

namespace rocelab::sim {

class PayloadPattern {
 public:
  PayloadPattern(NodeId sender, rxe::Qpn qpn) : seed_(std::uint64_t{sender} << 32 | qpn) {}

  std::byte at(std::uint64_t position) const {
    const std::uint64_t word = (seed_ + (position >> 3)) * 0x9e37'79b9'7f4a'7c15ull;
    return static_cast<std::byte>((word ^ word >> 32) >> (8 * (position & 7)));
  }
  void fill(std::span<std::byte> memory) const {
    for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = at(i);
  }
  bool matches(std::span<const std::byte> memory) const {
    for (std::size_t i = 0; i < memory.size(); ++i) {
      if (memory[i] != at(i)) return false;
    }
    return true;
  }

 private:
  std::uint64_t seed_;
};

}  // namespace rocelab::sim
