// XRC extended transport header (IBTA annex A14): the shared receive queue that a request is for.
//
//   |  reserved (1) |                 XRC SRQ (3)                   |
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "wire/bytes.h"

namespace rocelab::wire {

struct XrcEth {
  static constexpr std::size_t kSize = 4;

  std::uint32_t srq_number = 0;  ///< 24 bits

  /// bytes.size() >= kSize.
  static XrcEth parse(std::span<const std::byte> bytes) {
    const std::byte* p = bytes.data();
    XrcEth header;
    header.srq_number = load_be24(p + 1);
    return header;
  }

  /// bytes.size() >= kSize; writes every byte, reserved ones as zero.
  void emit(std::span<std::byte> bytes) const {
    std::byte* p = bytes.data();
    store_u8(p, 0);
    store_be24(p + 1, srq_number);
  }

  friend bool operator==(const XrcEth&, const XrcEth&) = default;
};

std::string to_string(const XrcEth& header);

}  // namespace rocelab::wire
