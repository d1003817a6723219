// The memory of a shared-buffer switch as its ingress side accounts it. Every packet is charged to the group (port and
// class) that it came in by: first to the group's reserve, then to the pool that all share, and for lossless groups
// above their threshold to the group's own headroom. Thresholds are dynamic: alpha times what is free in the pool
// (Choudhury and Hahne, 1998). Crossing one pauses the peer (PFC XOFF); falling below it by an offset resumes it (XON).
// Pure: who calls sends the pause frames and drops the packets.
#pragma once

#include <algorithm>
#include <cstdint>

namespace rocelab::qos {

/// Alpha and other factors are whole numbers of 1/1024.
inline constexpr std::uint32_t kAlphaOne = 1024;

/// What one group occupies. Reserve and pool together are in `bytes`.
struct BufferGroup {
  std::uint32_t bytes = 0;
  std::uint32_t headroom_bytes = 0;
};

/// What a group may have; many groups share one.
struct BufferGroupLimits {
  std::uint32_t reserve_bytes = 0;     ///< its own, taken before the pool
  std::uint32_t headroom_bytes = 0;    ///< its own, after the threshold; 0 for lossy groups
  std::uint32_t xon_offset_bytes = 0;  ///< resume this far below the threshold
  std::uint32_t alpha = kAlphaOne;     ///< of the group's threshold
};

class SharedBuffer {
 public:
  SharedBuffer() = default;
  /// `pool_bytes`: what is left of the memory when every reserve and headroom has been taken off.
  explicit SharedBuffer(std::uint64_t pool_bytes) : pool_bytes_(pool_bytes) {}

  std::uint64_t pool_bytes() const { return pool_bytes_; }
  std::uint64_t used_bytes() const { return used_bytes_; }
  std::uint64_t free_bytes() const { return pool_bytes_ - used_bytes_; }
  std::uint64_t threshold(std::uint32_t alpha) const { return free_bytes() * alpha / kAlphaOne; }

  static std::uint32_t shared_part(const BufferGroup& group, const BufferGroupLimits& limits) {
    return group.bytes > limits.reserve_bytes ? group.bytes - limits.reserve_bytes : 0;
  }

  /// Lossless: room below the threshold, or in the headroom.
  bool admits_lossless(const BufferGroup& group, const BufferGroupLimits& limits, std::uint32_t bytes) const {
    return fits_below(group, limits, bytes, threshold(limits.alpha)) ||
           std::uint64_t{group.headroom_bytes} + bytes <= limits.headroom_bytes;
  }
  /// Lossy: room in the pool. (What one queue may have of it, the egress side decides.)
  bool admits_lossy(const BufferGroup& group, const BufferGroupLimits& limits, std::uint32_t bytes) const {
    return fits_below(group, limits, bytes, free_bytes());
  }

  void charge_lossless(BufferGroup& group, const BufferGroupLimits& limits, std::uint32_t bytes) {
    if (fits_below(group, limits, bytes, threshold(limits.alpha))) {
      charge_lossy(group, limits, bytes);
    } else {
      group.headroom_bytes += bytes;
    }
  }
  void charge_lossy(BufferGroup& group, const BufferGroupLimits& limits, std::uint32_t bytes) {
    const std::uint32_t before = shared_part(group, limits);
    group.bytes += bytes;
    used_bytes_ += shared_part(group, limits) - before;
  }
  /// Headroom is emptied first, then the pool, then the reserve.
  void release(BufferGroup& group, const BufferGroupLimits& limits, std::uint32_t bytes) {
    const std::uint32_t from_headroom = std::min(group.headroom_bytes, bytes);
    group.headroom_bytes -= from_headroom;
    const std::uint32_t before = shared_part(group, limits);
    group.bytes -= bytes - from_headroom;
    used_bytes_ -= before - shared_part(group, limits);
  }

  bool wants_xoff(const BufferGroup& group, const BufferGroupLimits& limits) const {
    return group.headroom_bytes != 0 || shared_part(group, limits) >= threshold(limits.alpha);
  }
  bool wants_xon(const BufferGroup& group, const BufferGroupLimits& limits) const {
    if (group.headroom_bytes != 0) return false;
    const std::uint32_t used = shared_part(group, limits);
    return used == 0 || std::uint64_t{used} + limits.xon_offset_bytes <= threshold(limits.alpha);
  }

 private:
  static bool fits_below(const BufferGroup& group, const BufferGroupLimits& limits, std::uint32_t bytes,
                         std::uint64_t threshold_bytes) {
    const std::uint64_t total = std::uint64_t{group.bytes} + bytes;
    // A packet that fits into the reserve is taken whatever the pool looks like.
    return total <= limits.reserve_bytes || total - limits.reserve_bytes <= threshold_bytes;
  }

  std::uint64_t pool_bytes_ = 0;
  std::uint64_t used_bytes_ = 0;
};

}  // namespace rocelab::qos
