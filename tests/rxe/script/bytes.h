// The bytes of a script, taken one decision at a time; behind their end come zeros.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace rocelab::test::script {

class Bytes {
 public:
  explicit Bytes(std::span<const std::uint8_t> bytes) : left_(bytes) {}
  bool empty() const { return left_.empty(); }
  std::uint8_t u8() {
    if (left_.empty()) return 0;
    const std::uint8_t value = left_.front();
    left_ = left_.subspan(1);
    return value;
  }
  std::uint16_t u16() { return static_cast<std::uint16_t>(u8() << 8 | u8()); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(u16()) << 16 | u16(); }
  std::uint64_t u64() { return static_cast<std::uint64_t>(u32()) << 32 | u32(); }
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : u8() % bound; }
  bool one_in(unsigned n) { return u8() % n == n - 1; }

 private:
  std::span<const std::uint8_t> left_;
};

}  // namespace rocelab::test::script
