// Immediate data (IBTA vol 1, 9.3.6): four bytes handed to the receiver's completion.
//
//   |                     immediate data (4)                        |
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "wire/bytes.h"

namespace rocelab::wire {

struct ImmDt {
  static constexpr std::size_t kSize = 4;

  std::uint32_t value = 0;  ///< host order number whose big-endian form is on the wire

  /// bytes.size() >= kSize.
  static ImmDt parse(std::span<const std::byte> bytes) {
    const std::byte* p = bytes.data();
    ImmDt header;
    header.value = load_be<std::uint32_t>(p);
    return header;
  }

  /// bytes.size() >= kSize; writes every byte, reserved ones as zero.
  void emit(std::span<std::byte> bytes) const {
    std::byte* p = bytes.data();
    store_be<std::uint32_t>(p, value);
  }

  friend bool operator==(const ImmDt&, const ImmDt&) = default;
};

std::string to_string(const ImmDt& header);

}  // namespace rocelab::wire
