// Reading and writing network-order integers in byte buffers by offset. The one place in wire/ that touches raw bytes;
// callers have checked the length (each header's parse does, once). Compiles to a load or store plus a byte swap.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace rocelab::wire {

template <class T>
constexpr T swap_bytes(T value) {
  if constexpr (sizeof(T) == 1) return value;
  if constexpr (sizeof(T) == 2) return static_cast<T>(__builtin_bswap16(value));
  if constexpr (sizeof(T) == 4) return static_cast<T>(__builtin_bswap32(value));
  if constexpr (sizeof(T) == 8) return static_cast<T>(__builtin_bswap64(value));
}

/// A big-endian T at p.
template <class T>
T load_be(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return std::endian::native == std::endian::little ? swap_bytes(value) : value;
}

template <class T>
void store_be(std::byte* p, T value) {
  if (std::endian::native == std::endian::little) value = swap_bytes(value);
  std::memcpy(p, &value, sizeof value);
}

inline std::uint8_t load_u8(const std::byte* p) { return std::to_integer<std::uint8_t>(*p); }
inline void store_u8(std::byte* p, std::uint8_t value) { *p = std::byte{value}; }

/// 24-bit fields: QPN, PSN, MSN.
inline std::uint32_t load_be24(const std::byte* p) {
  return static_cast<std::uint32_t>(load_u8(p)) << 16 | load_be<std::uint16_t>(p + 1);
}
inline void store_be24(std::byte* p, std::uint32_t value) {
  store_u8(p, static_cast<std::uint8_t>(value >> 16));
  store_be<std::uint16_t>(p + 1, static_cast<std::uint16_t>(value));
}

}  // namespace rocelab::wire
