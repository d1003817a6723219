// The key space of a device: memory regions and memory windows by key, in O(1). Owned by rxe::Device, which translates
// every local and remote access through it. A key is index << 8 | variant; the variant byte advances whenever a slot is
// used again, and freed slots are reused oldest first, so that a stale key fails. Keys are deterministic.
//
// Protection domains and QPs are plain numbers here. Errors of verbs calls are errno values and change nothing; errors
// of work requests and of packets are AccessFaults. Not thread-safe. References to regions hold until the next
// allocation. IBTA vol 1: 10.6 (memory management), 9.4.1.1.2 (C9-88: zero-length RDMA does not check the R_Key).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mm/region.h"

namespace rocelab::mm {

/// Why an access, a bind, a registration or an invalidation by work request is refused.
enum class AccessFault : std::uint8_t {
  kNone = 0,
  kUnknownKey,  ///< no such index, a stale variant, or a window's rkey used as lkey
  kNotValid,    ///< the slot exists but is not mapped, not bound, or has been invalidated
  kWrongPd,     ///< protection domains differ
  kWrongQp,     ///< a type 2 window of another QP
  kNoRight,     ///< an access right is missing
  kOutOfRange,  ///< the access leaves the region
  kWrongKind,   ///< this kind of region or window does not permit the operation
  kBusy,        ///< windows are bound to the region, or the window or region is in use already
  kNotMapped,   ///< the region is on demand, and there is no (such) memory behind the address now
};
std::string_view name(AccessFault fault);

/// Outcome of a check. A zero-length access and elided memory succeed with host == nullptr. Of an on-demand region it
/// is a base::guarded address: not to be dereferenced, and nothing is known of the memory yet.
struct Translation {
  std::byte* host = nullptr;
  AccessFault fault = AccessFault::kNone;
  bool ok() const { return fault == AccessFault::kNone; }
};

enum class WindowType : std::uint8_t { k1 = 1, k2 = 2 };

class RegionTable {
 public:
  struct Limits {
    std::uint32_t regions_max = 1u << 20;
    std::uint32_t windows_max = 1u << 20;
    std::uint64_t length_max = ~0ull;
  };
  explicit RegionTable(const Limits& limits);

  // --- the data path ----------------------------------------------------------------------------------------------
  /// Local access to [addr, addr + length): `need` is access::kLocalWrite to write, 0 to read. Zero length: no check.
  Translation check_local(std::uint32_t lkey, std::uint32_t pd, std::uint64_t addr, std::uint64_t length,
                          std::uint32_t need) const {
    if (length == 0) return {};
    const Region* region = slot(lkey);
    if (region == nullptr || region->key != lkey || region->state != RegionState::kValid || region->is_window() ||
        region->pd != pd || (need & ~region->access) != 0 || !region->covers(addr, length)) [[unlikely]] {
      return {nullptr, explain_local(lkey, pd, addr, length, need)};
    }
    return {region->translate(addr), AccessFault::kNone};
  }
  /// Access by a packet that arrived at QP `qpn` of protection domain `pd`; `need` is a remote right. Zero length: the
  /// key is not checked at all.
  Translation check_remote(std::uint32_t rkey, std::uint32_t pd, std::uint32_t qpn, std::uint64_t addr,
                           std::uint64_t length, std::uint32_t need) const {
    if (length == 0) return {};
    const Region* region = slot(rkey);
    if (region == nullptr || region->key != rkey || region->state != RegionState::kValid || region->pd != pd ||
        (region->qpn != Region::kAnyQp && region->qpn != qpn) || (need & ~region->access) != 0 ||
        !region->covers(addr, length)) [[unlikely]] {
      return {nullptr, explain_remote(rkey, pd, qpn, addr, length, need)};
    }
    return {region->translate(addr), AccessFault::kNone};
  }

  // --- regions (verbs calls). An id is the key's index. -----------------------------------------------------------
  struct Registration {
    std::uint32_t pd = 0;
    std::byte* host = nullptr;  ///< nullptr: elided; base::nowhere(): a null region (with access::kOnDemand)
    std::uint64_t length = 0;
    std::uint64_t iova = 0;  ///< ignored (0) with access::kZeroBased
    std::uint32_t access = 0;
  };
  /// Returns the key. EINVAL: unknown access bits, remote write or atomic without local write, a range that wraps or is
  /// longer than the limit; ENOMEM: the table is full.
  base::Result<std::uint32_t> register_region(const Registration& registration);
  /// A region for fast registration, unusable until map_fast.
  base::Result<std::uint32_t> allocate_fast(std::uint32_t pd, std::uint64_t length_max);
  static constexpr std::uint32_t kReregTranslation = 1u << 0, kReregPd = 1u << 1, kReregAccess = 1u << 2;
  /// Changes what `mask` names; returns the key, which is a new one when the translation changes. EBUSY while windows
  /// are bound; EINVAL for a region from allocate_fast, an empty or unknown mask, or what register_region refuses.
  base::Result<std::uint32_t> reregister(std::uint32_t id, std::uint32_t mask, const Registration& registration);
  /// EBUSY while windows are bound (IBTA vol 1, 10.6.7.2.6), EINVAL when there is no such region.
  base::Result<void> deregister(std::uint32_t id);

  // --- windows (verbs calls) --------------------------------------------------------------------------------------
  base::Result<std::uint32_t> allocate_window(std::uint32_t pd, WindowType type);
  base::Result<void> deallocate_window(std::uint32_t id);  ///< unbinds it first
  /// The rkey that a type 1 binding will use: the same index, the variant advanced.
  base::Result<std::uint32_t> next_window_key(std::uint32_t id) const;

  // --- work requests ----------------------------------------------------------------------------------------------
  struct Binding {
    std::uint32_t window = 0;  ///< id
    std::uint32_t region = 0;  ///< id; 0 with length 0: unbind (type 1)
    std::uint32_t pd = 0;      ///< of the QP
    std::uint32_t qpn = 0;     ///< of the QP
    std::uint32_t key = 0;     ///< index of the window, a variant that differs from the current one
    std::uint64_t addr = 0;    ///< in the region's addresses
    std::uint64_t length = 0;
    std::uint32_t access = 0;  ///< remote rights, kZeroBased (type 2: the window's addresses start at 0)
  };
  AccessFault bind(const Binding& binding);
  struct FastMapping {
    std::uint32_t region = 0;  ///< id
    std::uint32_t pd = 0;      ///< of the QP
    std::uint32_t key = 0;     ///< index of the region, any variant
    std::byte* host = nullptr;
    std::uint64_t iova = 0;
    std::uint64_t length = 0;
    std::uint32_t access = 0;
  };
  /// The fast-register work request: maps a free region from allocate_fast.
  AccessFault map_fast(const FastMapping& mapping);
  /// LOCAL_INV: a mapped fast region without bound windows, or a bound type 2 window, of the QP's PD.
  AccessFault invalidate_local(std::uint32_t key, std::uint32_t pd);
  /// SEND with invalidate: as above, and the region must grant some remote right; a type 2 window must be bound to the
  /// receiving QP. Anything else is refused (IBTA vol 1, 10.6.7.2).
  AccessFault invalidate_remote(std::uint32_t key, std::uint32_t pd, std::uint32_t qpn);
  /// Could invalidate_remote succeed? Changes nothing; for checks that must precede side effects.
  AccessFault may_invalidate_remote(std::uint32_t key, std::uint32_t pd, std::uint32_t qpn) const;
  /// The QP is gone or reset: windows bound to it lose their rights, so that no later owner of the QPN inherits them.
  void release_qp(std::uint32_t qpn);

  // --- getters ----------------------------------------------------------------------------------------------------
  /// nullptr when no region or window has this id (not: when it is merely invalid).
  const Region* find(std::uint32_t id) const;
  const Region* find_region(std::uint32_t id) const;  ///< not a window
  const Region* find_window(std::uint32_t id) const;  ///< not a region
  std::size_t region_count() const { return region_count_; }
  std::size_t window_count() const { return window_count_; }
  /// Changes whenever an access that was permitted may have ceased to be; while it stays, a translation made earlier
  /// still holds.
  std::uint64_t generation() const { return generation_; }

 private:
  static constexpr std::uint32_t kIndexMax = 0xff'ffff;
  static constexpr std::uint32_t next_variant(std::uint32_t key) { return (key & ~0xffu) | ((key + 1) & 0xff); }

  const Region* slot(std::uint32_t key) const {
    const std::size_t index = key >> 8;
    return index < slots_.size() ? &slots_[index] : nullptr;
  }
  Region* mutable_slot(std::uint32_t id) { return const_cast<Region*>(find(id)); }
  AccessFault explain_local(std::uint32_t lkey, std::uint32_t pd, std::uint64_t addr, std::uint64_t length,
                            std::uint32_t need) const;
  AccessFault explain_remote(std::uint32_t rkey, std::uint32_t pd, std::uint32_t qpn, std::uint64_t addr,
                             std::uint64_t length, std::uint32_t need) const;
  base::Result<void> check_registration(const Registration& registration) const;
  AccessFault check_bind(const Binding& binding, const Region& window) const;
  AccessFault may_invalidate(std::uint32_t key, std::uint32_t pd) const;
  void invalidate(std::uint32_t id);
  void unbind(Region& window);
  base::Result<std::uint32_t> take_slot(RegionKind kind);
  void give_back(std::uint32_t id);

  Limits limits_;
  std::vector<Region> slots_;    ///< slot 0 stays unused, so that no key is 0
  std::uint32_t free_head_ = 0;  ///< oldest freed slot, 0 for none; linked through Region::parent
  std::uint32_t free_tail_ = 0;
  std::size_t region_count_ = 0;
  std::size_t window_count_ = 0;
  std::uint64_t generation_ = 1;
  std::size_t bound_to_qp_ = 0;  ///< type 2 windows in use: release_qp has nothing to do while 0
};

}  // namespace rocelab::mm
