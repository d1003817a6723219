// Datagram extended transport header (IBTA vol 1, 9.3.1):
//
//   |                        queue key (4)                          |
//   |  reserved (1) |              source QP (3)                    |
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "wire/bytes.h"

namespace rocelab::wire {

struct Deth {
  static constexpr std::size_t kSize = 8;

  std::uint32_t qkey = 0;
  std::uint32_t source_qpn = 0;  ///< 24 bits

  /// bytes.size() >= kSize.
  static Deth parse(std::span<const std::byte> bytes) {
    const std::byte* p = bytes.data();
    Deth header;
    header.qkey = load_be<std::uint32_t>(p);
    header.source_qpn = load_be24(p + 5);
    return header;
  }

  /// bytes.size() >= kSize; writes every byte, reserved ones as zero.
  void emit(std::span<std::byte> bytes) const {
    std::byte* p = bytes.data();
    store_be<std::uint32_t>(p, qkey);
    store_u8(p + 4, 0);
    store_be24(p + 5, source_qpn);
  }

  friend bool operator==(const Deth&, const Deth&) = default;
};

std::string to_string(const Deth& header);

}  // namespace rocelab::wire
