// Atomic acknowledge extended transport header (IBTA vol 1, 9.3.5.3): the value found before the operation.
//
//   |                  original remote data (8)                     |
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "wire/bytes.h"

namespace rocelab::wire {

struct AtomicAckEth {
  static constexpr std::size_t kSize = 8;

  std::uint64_t original = 0;

  /// bytes.size() >= kSize.
  static AtomicAckEth parse(std::span<const std::byte> bytes) {
    const std::byte* p = bytes.data();
    AtomicAckEth header;
    header.original = load_be<std::uint64_t>(p);
    return header;
  }

  /// bytes.size() >= kSize; writes every byte, reserved ones as zero.
  void emit(std::span<std::byte> bytes) const {
    std::byte* p = bytes.data();
    store_be<std::uint64_t>(p, original);
  }

  friend bool operator==(const AtomicAckEth&, const AtomicAckEth&) = default;
};

std::string to_string(const AtomicAckEth& header);

}  // namespace rocelab::wire
