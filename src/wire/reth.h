// RDMA extended transport header (IBTA vol 1, 9.3.3):
//
//   |                    virtual address (8)                        |
//   |                         R_Key (4)                             |
//   |                       DMA length (4)                          |
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "wire/bytes.h"

namespace rocelab::wire {

struct Reth {
  static constexpr std::size_t kSize = 16;

  std::uint64_t virtual_address = 0;
  std::uint32_t rkey = 0;
  std::uint32_t dma_length = 0;  ///< bytes of the whole message, at most 2^31

  /// bytes.size() >= kSize.
  static Reth parse(std::span<const std::byte> bytes) {
    const std::byte* p = bytes.data();
    Reth header;
    header.virtual_address = load_be<std::uint64_t>(p);
    header.rkey = load_be<std::uint32_t>(p + 8);
    header.dma_length = load_be<std::uint32_t>(p + 12);
    return header;
  }

  /// bytes.size() >= kSize; writes every byte, reserved ones as zero.
  void emit(std::span<std::byte> bytes) const {
    std::byte* p = bytes.data();
    store_be<std::uint64_t>(p, virtual_address);
    store_be<std::uint32_t>(p + 8, rkey);
    store_be<std::uint32_t>(p + 12, dma_length);
  }

  friend bool operator==(const Reth&, const Reth&) = default;
};

std::string to_string(const Reth& header);

}  // namespace rocelab::wire
