// The CRC behind the ICRC (IBTA vol 1, 7.8.1): Ethernet's CRC-32, over the packet from its network header on, with
// whatever a router may change taken as ones, and with eight bytes of ones in front that stand for InfiniBand's local
// routing header. ISA-L computes it, seedable, so masked headers and the rest need no common buffer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace rocelab::wire {

/// Continues a CRC over `length` more bytes. Starting from 0 this is zlib's crc32().
std::uint32_t crc32_continue(std::uint32_t crc, const std::byte* data, std::size_t length);

/// Which bits of the first kHeader bytes of a packet count as ones; eight bytes of ones for the LRH are in front.
template <std::size_t kHeader>
class IcrcMask {
 public:
  static constexpr std::size_t kOnes = 8;
  static constexpr std::size_t kSize = kOnes + kHeader;

  constexpr IcrcMask() {
    for (std::size_t i = 0; i < kOnes; ++i) bytes_[i] = 0xff;
  }
  /// The byte at that offset from the packet's network header.
  constexpr IcrcMask& mask(std::size_t offset, std::uint8_t bits = 0xff) {
    bytes_[kOnes + offset] = bits;
    return *this;
  }

  /// The ICRC of `bytes` bytes at `packet` (at least kHeader): one call of ISA-L for what is copied to be masked, one
  /// for what lies behind. A short rest goes into the copy, as ISA-L is slow below 16 bytes.
  std::uint32_t icrc(const std::byte* packet, std::size_t bytes) const {
    alignas(kVector) std::byte copy[kSize + kShort];
    const std::byte* const end = packet + bytes;
    if (bytes - kHeader > kShort) {
      copy_masked<kWhole>(packet, copy);
      const std::byte* const rest = packet + (kWhole - kOnes);
      return crc32_continue(crc32_continue(0, copy, kWhole), rest, static_cast<std::size_t>(end - rest));
    }
    copy_masked<kSize>(packet, copy);
    const std::byte* const rest = packet + kHeader;
    const auto rest_bytes = static_cast<std::size_t>(end - rest);
    std::memcpy(copy + kSize, rest, rest_bytes);
    return crc32_continue(0, copy, kSize + rest_bytes);
  }

 private:
  using Vector [[gnu::vector_size(16)]] = std::uint64_t;
  static constexpr std::size_t kVector = sizeof(Vector);
  static constexpr std::size_t kShort = 32;
  static constexpr std::size_t kWhole = (kSize + kVector - 1) / kVector * kVector;  // whole vectors, a bit of the rest

  /// Sixteen bytes at a time, as the CRC will read them: narrower stores could not be forwarded to its loads.
  template <std::size_t kBytes>
  void copy_masked(const std::byte* packet, std::byte* out) const {
    std::uint64_t first;
    std::memcpy(&first, packet, sizeof first);
    put(Vector{0, first}, 0, out);
    std::size_t at = kVector;
    for (; at + kVector <= kBytes; at += kVector) {
      Vector piece;
      std::memcpy(&piece, packet + at - kOnes, sizeof piece);
      put(piece, at, out);
    }
    for (; at < kBytes; at += sizeof(std::uint32_t)) {
      std::uint32_t piece;
      std::memcpy(&piece, packet + at - kOnes, sizeof piece);
      put(piece, at, out);
    }
  }
  template <class Piece>
  void put(Piece piece, std::size_t at, std::byte* out) const {
    Piece ones;
    std::memcpy(&ones, bytes_.data() + at, sizeof ones);
    piece |= ones;
    std::memcpy(out + at, &piece, sizeof piece);
  }

  static_assert(kHeader % 4 == 0 && kHeader >= 8);
  alignas(kVector) std::array<std::uint8_t, kWhole> bytes_{};
};

}  // namespace rocelab::wire
