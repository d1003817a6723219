// The CRC behind the ICRC (IBTA vol 1, 7.8.1): Ethernet's CRC-32, over the packet from its network header on, with
// whatever a router may change taken as ones, and with eight bytes of ones in front that stand for InfiniBand's local
// routing header. ISA-L computes it, seedable, so masked headers and the rest need no common buffer.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace rocelab::wire {

/// Continues a CRC over `length` more bytes. Starting from 0 this is zlib's crc32().
std::uint32_t crc32_continue(std::uint32_t crc, const std::byte* data, std::size_t length);

/// Which bits of the first kHeader bytes of a packet count as ones, and the ICRC with them.
///
/// The CRC's register starts as ones, which is the same as starting as zeros and complementing the first four bytes;
/// and a register of zeros does not see zeros that come in front. Of the eight bytes of ones that stand for the LRH,
/// the first four thereby become zeros, which may be as many as we like: just so many that everything ends on a
/// multiple of sixteen bytes, because ISA-L is slow with remainders.
template <std::size_t kHeader>
class IcrcMask {
 public:
  constexpr IcrcMask() {
    for (std::size_t i = 0; i < kOnes; ++i) bytes_[kVector + i] = 0xff;
  }
  /// The byte at that offset from the packet's network header.
  constexpr IcrcMask& mask(std::size_t offset, std::uint8_t bits = 0xff) {
    bytes_[kVector + kOnes + offset] = bits;
    return *this;
  }

  /// The ICRC of `bytes` bytes at `packet`: at least kHeader, and whole words, as a packet's padding makes them. One
  /// call of ISA-L for what is copied to be masked, and one for what lies behind unless that is short.
  std::uint32_t icrc(const std::byte* packet, std::size_t bytes) const {
    const std::size_t zeros = (0 - (kOnes + bytes)) & (kVector - sizeof(std::uint32_t));
    const std::size_t lead = zeros + kOnes;  // bytes of the copy in front of the packet: 4 to 16
    const std::size_t total = lead + bytes;
    const std::size_t masked = (lead + kHeader + kVector - 1) & ~(kVector - 1);
    const std::size_t copied = total <= kWhole ? total : masked;
    const auto* const mask = reinterpret_cast<const std::byte*>(bytes_.data()) + kVector - zeros;
    alignas(kVector) std::byte copy[kWhole];
    store(start(packet, zeros) | load(mask), copy);
    std::size_t at = kVector;
    for (; at < masked; at += kVector) store(load(packet + (at - lead)) | load(mask + at), copy + at);
    for (; at < copied; at += kVector) store(load(packet + (at - lead)), copy + at);
    const std::uint32_t crc = crc32_continue(kZeroRegister, copy, copied);
    return copied == total ? crc : crc32_continue(crc, packet + (copied - lead), total - copied);
  }

 private:
  using Vector [[gnu::vector_size(16)]] = std::uint64_t;
  static constexpr std::size_t kVector = sizeof(Vector);
  static constexpr std::size_t kOnes = 4;
  static constexpr std::size_t kWhole = 128;                   // up to here a copy costs less than a second call
  static constexpr std::uint32_t kZeroRegister = 0xffff'ffff;  // ISA-L complements what it is given

  /// Sixteen bytes at a time, as the CRC will read them: narrower stores could not be forwarded to its loads.
  static Vector load(const std::byte* from) {
    Vector vector;
    std::memcpy(&vector, from, sizeof vector);
    return vector;
  }
  static void store(Vector vector, std::byte* to) { std::memcpy(to, &vector, sizeof vector); }

  /// The copy's first sixteen bytes before masking: zeros, four more of them, and what room there is for the packet.
  static Vector start(const std::byte* packet, std::size_t zeros) {
    static_assert(std::endian::native == std::endian::little, "the lanes are put together for little-endian machines");
    std::uint64_t words[2];
    std::uint32_t word;
    std::memcpy(words, packet, sizeof words);
    std::memcpy(&word, packet, sizeof word);
    switch (zeros) {
      case 0:
        return Vector{static_cast<std::uint64_t>(word) << 32, words[0] >> 32 | words[1] << 32};
      case 4:
        return Vector{0, words[0]};
      case 8:
        return Vector{0, static_cast<std::uint64_t>(word) << 32};
      default:
        return Vector{0, 0};
    }
  }

  static_assert(kHeader % 4 == 0 && kHeader >= 16 && kHeader + kOnes + 2 * kVector <= kWhole);
  // In front sixteen zeros, then the ones of the LRH, then the header's mask, then zeros.
  alignas(kVector) std::array<std::uint8_t, kVector + kOnes + kHeader + 2 * kVector> bytes_{};
};

}  // namespace rocelab::wire
