// Registered memory with guard zones on both sides, filled with a pattern, so that a byte written where it must not be
// shows. Owned by a test or an Endpoint; registers itself at construction and lives at least as long as its device is
// driven.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "rxe/device.h"

namespace rocelab::test {

inline constexpr std::uint32_t kAllAccess = rxe::access::kLocalWrite | rxe::access::kRemoteWrite |
                                            rxe::access::kRemoteRead | rxe::access::kRemoteAtomic |
                                            rxe::access::kMwBind;

/// Byte i of the pattern named `salt`.
constexpr std::byte pattern(std::uint64_t salt, std::size_t i) {
  return static_cast<std::byte>((i * 7 + salt * 131 + (i >> 8)) & 0xff);
}

/// Memory of the far end as a work request names it.
struct Remote {
  std::uint64_t addr = 0;
  std::uint32_t rkey = 0;
};

class Region {
 public:
  static constexpr std::size_t kGuard = 256;
  static constexpr std::byte kGuardByte{0xa5};

  /// Without `iova` the region's address is its host address, as ibv_reg_mr does.
  Region(rxe::Device& device, rxe::PdId pd, std::size_t length, std::uint32_t access = kAllAccess,
         std::optional<std::uint64_t> iova = std::nullopt)
      : bytes_(length + 2 * kGuard, kGuardByte), length_(length) {
    iova_ = iova ? *iova : reinterpret_cast<std::uint64_t>(data());
    const auto info = device.reg_mr({.pd = pd, .host = data(), .length = length, .iova = iova_, .access = access});
    registered_ = info.has_value();
    if (info) mr_ = *info;
    fill(0);
  }
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  std::byte* data() { return bytes_.data() + kGuard; }
  const std::byte* data() const { return bytes_.data() + kGuard; }
  std::size_t size() const { return length_; }
  std::uint64_t iova() const { return iova_; }
  const rxe::MrInfo& mr() const { return mr_; }
  bool registered() const { return registered_; }

  rxe::Sge sge(std::size_t offset, std::size_t length) const {
    return {iova_ + offset, static_cast<std::uint32_t>(length), mr_.lkey};
  }
  Remote remote(std::size_t offset) const { return {iova_ + offset, mr_.rkey}; }

  void fill(std::uint64_t salt) {
    for (std::size_t i = 0; i < length_; ++i) data()[i] = pattern(salt, i);
  }
  void clear() {
    for (std::size_t i = 0; i < length_; ++i) data()[i] = std::byte{0};
  }
  /// True when [offset, offset+length) holds the pattern `salt` starting with its byte `from`.
  bool holds(std::size_t offset, std::size_t length, std::uint64_t salt, std::size_t from) const {
    for (std::size_t i = 0; i < length; ++i) {
      if (data()[offset + i] != pattern(salt, from + i)) return false;
    }
    return true;
  }
  bool zero(std::size_t offset, std::size_t length) const {
    for (std::size_t i = 0; i < length; ++i) {
      if (data()[offset + i] != std::byte{0}) return false;
    }
    return true;
  }
  std::uint64_t word(std::size_t offset) const {
    std::uint64_t value = 0;
    __builtin_memcpy(&value, data() + offset, sizeof value);
    return value;
  }
  void set_word(std::size_t offset, std::uint64_t value) { __builtin_memcpy(data() + offset, &value, sizeof value); }
  bool guards_intact() const {
    for (std::size_t i = 0; i < kGuard; ++i) {
      if (bytes_[i] != kGuardByte || bytes_[kGuard + length_ + i] != kGuardByte) return false;
    }
    return true;
  }

 private:
  std::vector<std::byte> bytes_;
  std::size_t length_;
  std::uint64_t iova_ = 0;
  rxe::MrInfo mr_;
  bool registered_ = false;
};

}  // namespace rocelab::test
