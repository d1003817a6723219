// Invalidate extended transport header (IBTA vol 1, 9.3.7): the R_Key that a SEND with invalidate revokes.
//
//   |                         R_Key (4)                             |
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "wire/bytes.h"

namespace rocelab::wire {

struct Ieth {
  static constexpr std::size_t kSize = 4;

  std::uint32_t rkey = 0;

  /// bytes.size() >= kSize.
  static Ieth parse(std::span<const std::byte> bytes) {
    const std::byte* p = bytes.data();
    Ieth header;
    header.rkey = load_be<std::uint32_t>(p);
    return header;
  }

  /// bytes.size() >= kSize; writes every byte, reserved ones as zero.
  void emit(std::span<std::byte> bytes) const {
    std::byte* p = bytes.data();
    store_be<std::uint32_t>(p, rkey);
  }

  friend bool operator==(const Ieth&, const Ieth&) = default;
};

std::string to_string(const Ieth& header);

}  // namespace rocelab::wire
