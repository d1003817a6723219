// One entry of the key space: a memory region or a memory window, with everything that an access check needs in one
// cache line. Owned by RegionTable; the engine sees it through the table's checks. Lengths and addresses in bytes.
// A window keeps its own translation (computed when it is bound), so that checking it costs what checking a region
// does.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocelab::mm {

/// Access rights; the bits are those of rxe::access (and so of IBV_ACCESS_*).
namespace access {
inline constexpr std::uint32_t kLocalWrite = 1u << 0;
inline constexpr std::uint32_t kRemoteWrite = 1u << 1;
inline constexpr std::uint32_t kRemoteRead = 1u << 2;
inline constexpr std::uint32_t kRemoteAtomic = 1u << 3;
inline constexpr std::uint32_t kMwBind = 1u << 4;
inline constexpr std::uint32_t kZeroBased = 1u << 5;
inline constexpr std::uint32_t kOnDemand = 1u << 6;
inline constexpr std::uint32_t kHugeTlb = 1u << 7;
inline constexpr std::uint32_t kFlushGlobal = 1u << 8;
inline constexpr std::uint32_t kFlushPersistent = 1u << 9;
inline constexpr std::uint32_t kRelaxedOrdering = 1u << 20;
inline constexpr std::uint32_t kRemote = kRemoteWrite | kRemoteRead | kRemoteAtomic;
inline constexpr std::uint32_t kAll = kLocalWrite | kRemote | kMwBind | kZeroBased | kOnDemand | kHugeTlb |
                                      kFlushGlobal | kFlushPersistent | kRelaxedOrdering;
}  // namespace access

enum class RegionKind : std::uint8_t {
  kPinned,   ///< registered by a verbs call (ibv_reg_mr)
  kFast,     ///< from alloc_mr: mapped by fast-register work requests, may be invalidated
  kWindow1,  ///< bound by a work request, rights hold for the whole PD
  kWindow2,  ///< bound by a work request, rights hold for one QP (type 2A, IBTA vol 1, 10.6.7.2)
};

enum class RegionState : std::uint8_t {
  kUnused,  ///< the slot belongs to nobody
  kFree,    ///< allocated, no access: not yet mapped or bound, or invalidated
  kValid,
};

struct alignas(64) Region {
  static constexpr std::uint32_t kAnyQp = ~0u;

  std::byte* host = nullptr;     ///< of the byte at `iova`; on demand: base::guarded; nullptr: elided (simulator)
  std::uint64_t iova = 0;        ///< address that requests use for the first byte
  std::uint64_t length = 0;      ///< iova + length never exceeds 2^64
  std::uint64_t length_max = 0;  ///< kFast: the most that one registration may map
  std::uint32_t key = 0;         ///< lkey and rkey (windows: rkey): index << 8 | variant
  std::uint32_t access = 0;      ///< access bits
  std::uint32_t pd = 0;          ///< protection domain
  std::uint32_t qpn = kAnyQp;    ///< kWindow2: the QP it is bound to
  std::uint32_t windows = 0;     ///< regions: how many windows are bound to it
  std::uint32_t parent = 0;      ///< bound windows: index of the region, 0 for none. Unused slots: next free slot
  RegionKind kind = RegionKind::kPinned;
  RegionState state = RegionState::kUnused;

  bool is_window() const { return kind >= RegionKind::kWindow1; }
  std::uint32_t index() const { return key >> 8; }
  /// Where the byte at address `addr` of this region is; nullptr when memory is elided.
  std::byte* translate(std::uint64_t addr) const { return host == nullptr ? nullptr : host + (addr - iova); }
  /// Overflow-proof, because iova + length does not wrap: an address below iova gives an offset beyond length.
  bool covers(std::uint64_t addr, std::uint64_t bytes) const {
    const std::uint64_t offset = addr - iova;
    return offset <= length && bytes <= length - offset;
  }
};
static_assert(sizeof(Region) == 64);

}  // namespace rocelab::mm
