// Atomic extended transport header (IBTA vol 1, 9.3.4):
//
//   |                    virtual address (8)                        |
//   |                         R_Key (4)                             |
//   |                 swap (or add) data (8)                        |
//   |                     compare data (8)                          |
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "wire/bytes.h"

namespace rocelab::wire {

struct AtomicEth {
  static constexpr std::size_t kSize = 28;

  std::uint64_t virtual_address = 0;
  std::uint32_t rkey = 0;
  std::uint64_t swap_or_add = 0;
  std::uint64_t compare = 0;

  /// bytes.size() >= kSize.
  static AtomicEth parse(std::span<const std::byte> bytes) {
    const std::byte* p = bytes.data();
    AtomicEth header;
    header.virtual_address = load_be<std::uint64_t>(p);
    header.rkey = load_be<std::uint32_t>(p + 8);
    header.swap_or_add = load_be<std::uint64_t>(p + 12);
    header.compare = load_be<std::uint64_t>(p + 20);
    return header;
  }

  /// bytes.size() >= kSize; writes every byte, reserved ones as zero.
  void emit(std::span<std::byte> bytes) const {
    std::byte* p = bytes.data();
    store_be<std::uint64_t>(p, virtual_address);
    store_be<std::uint32_t>(p + 8, rkey);
    store_be<std::uint64_t>(p + 12, swap_or_add);
    store_be<std::uint64_t>(p + 20, compare);
  }

  friend bool operator==(const AtomicEth&, const AtomicEth&) = default;
};

std::string to_string(const AtomicEth& header);

}  // namespace rocelab::wire
