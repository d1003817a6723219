// Regions: registration, checks told apart, fast registration, invalidation. Windows are in region_windows.cc.
#include "mm/region_table.h"

#include <cerrno>

#include "base/guarded_memory.h"

namespace rocelab::mm {

namespace {

/// iova + length may be 2^64 but not more.
bool wraps(std::uint64_t iova, std::uint64_t length) { return length != 0 && iova + (length - 1) < iova; }

/// Remote rights to change memory need the local one: IBTA vol 1, 10.6.3.1, and ibv_reg_mr.
bool rights_agree(std::uint32_t rights) {
  return (rights & (access::kRemoteWrite | access::kRemoteAtomic)) == 0 || (rights & access::kLocalWrite) != 0;
}

/// Memory that is reached on demand may go away while the region exists: its address is marked, so that it is not
/// touched by plain loads and stores.
std::byte* marked(std::byte* host, std::uint32_t rights) {
  if (host == nullptr) return nullptr;
  return (rights & access::kOnDemand) != 0 ? base::guarded(host) : base::unguarded(host);
}

}  // namespace

std::string_view name(AccessFault fault) {
  switch (fault) {
    case AccessFault::kNone:
      return "none";
    case AccessFault::kUnknownKey:
      return "unknown key";
    case AccessFault::kNotValid:
      return "not valid";
    case AccessFault::kWrongPd:
      return "wrong protection domain";
    case AccessFault::kWrongQp:
      return "wrong queue pair";
    case AccessFault::kNoRight:
      return "no right";
    case AccessFault::kOutOfRange:
      return "out of range";
    case AccessFault::kWrongKind:
      return "wrong kind";
    case AccessFault::kBusy:
      return "busy";
    case AccessFault::kNotMapped:
      return "not mapped";
  }
  return "?";
}

RegionTable::RegionTable(const Limits& limits) : limits_(limits), slots_(1) {}

// --- slots ----------------------------------------------------------------------------------------------------------

base::Result<std::uint32_t> RegionTable::take_slot(RegionKind kind) {
  const bool window = kind >= RegionKind::kWindow1;
  if (window ? window_count_ >= limits_.windows_max : region_count_ >= limits_.regions_max) {
    return base::fail(ENOMEM, window ? "no more memory windows" : "no more memory regions");
  }
  std::uint32_t id = free_head_;
  std::uint32_t key = 0;
  if (id != 0) {
    free_head_ = slots_[id].parent;
    if (free_head_ == 0) free_tail_ = 0;
    key = next_variant(slots_[id].key);
  } else {
    if (slots_.size() > kIndexMax) return base::fail(ENOMEM, "the key space is full");
    id = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
    // Neighbouring slots start with different variants, so that an off-by-one in an index is noticed too.
    key = id << 8 | ((id * 0x6bu + 1) & 0xff);
  }
  Region fresh;
  fresh.key = key;
  fresh.kind = kind;
  fresh.state = RegionState::kFree;
  slots_[id] = fresh;
  ++(window ? window_count_ : region_count_);
  return id;
}

void RegionTable::give_back(std::uint32_t id) {
  ++generation_;
  Region& region = slots_[id];
  --(region.is_window() ? window_count_ : region_count_);
  Region unused;
  unused.key = region.key;  // the next owner's variant follows it
  region = unused;
  if (free_tail_ == 0) {
    free_head_ = id;
  } else {
    slots_[free_tail_].parent = id;
  }
  free_tail_ = id;
}

const Region* RegionTable::find(std::uint32_t id) const {
  return id < slots_.size() && slots_[id].state != RegionState::kUnused ? &slots_[id] : nullptr;
}

const Region* RegionTable::find_region(std::uint32_t id) const {
  const Region* region = find(id);
  return region != nullptr && !region->is_window() ? region : nullptr;
}

const Region* RegionTable::find_window(std::uint32_t id) const {
  const Region* region = find(id);
  return region != nullptr && region->is_window() ? region : nullptr;
}

// --- refused accesses, told apart
// -------------------------------------------------------------------------------------

AccessFault RegionTable::explain_local(std::uint32_t lkey, std::uint32_t pd, std::uint64_t addr, std::uint64_t length,
                                       std::uint32_t need) const {
  const Region* region = find(lkey >> 8);
  if (region == nullptr || region->key != lkey || region->is_window()) return AccessFault::kUnknownKey;
  if (region->pd != pd) return AccessFault::kWrongPd;
  if (region->state != RegionState::kValid) return AccessFault::kNotValid;
  if ((need & ~region->access) != 0) return AccessFault::kNoRight;
  return region->covers(addr, length) ? AccessFault::kNone : AccessFault::kOutOfRange;
}

AccessFault RegionTable::explain_remote(std::uint32_t rkey, std::uint32_t pd, std::uint32_t qpn, std::uint64_t addr,
                                        std::uint64_t length, std::uint32_t need) const {
  const Region* region = find(rkey >> 8);
  if (region == nullptr || region->key != rkey) return AccessFault::kUnknownKey;
  if (region->pd != pd) return AccessFault::kWrongPd;
  if (region->state != RegionState::kValid) return AccessFault::kNotValid;
  if (region->qpn != Region::kAnyQp && region->qpn != qpn) return AccessFault::kWrongQp;
  if ((need & ~region->access) != 0) return AccessFault::kNoRight;
  return region->covers(addr, length) ? AccessFault::kNone : AccessFault::kOutOfRange;
}

// --- regions
// ----------------------------------------------------------------------------------------------------------

base::Result<void> RegionTable::check_registration(const Registration& registration) const {
  if ((registration.access & ~access::kAll) != 0) return base::fail(EINVAL, "unknown access bits");
  if (!rights_agree(registration.access)) {
    return base::fail(EINVAL, "remote write and remote atomic need local write");
  }
  if (registration.length > limits_.length_max) return base::fail(EINVAL, "the region is longer than max_mr_size");
  const bool zero_based = (registration.access & access::kZeroBased) != 0;
  if (wraps(zero_based ? 0 : registration.iova, registration.length) ||
      wraps(reinterpret_cast<std::uint64_t>(registration.host), registration.length)) {
    return base::fail(EINVAL, "the region leaves the address space");
  }
  return {};
}

base::Result<std::uint32_t> RegionTable::register_region(const Registration& registration) {
  if (const auto checked = check_registration(registration); !checked) return tl::make_unexpected(checked.error());
  const auto id = take_slot(RegionKind::kPinned);
  if (!id) return id;
  Region& region = slots_[*id];
  region.host = marked(registration.host, registration.access);
  region.iova = (registration.access & access::kZeroBased) != 0 ? 0 : registration.iova;
  region.length = registration.length;
  region.access = registration.access;
  region.pd = registration.pd;
  region.state = RegionState::kValid;
  return region.key;
}

base::Result<std::uint32_t> RegionTable::allocate_fast(std::uint32_t pd, std::uint64_t length_max) {
  if (length_max == 0 || length_max > limits_.length_max) {
    return base::fail(EINVAL, "the length for fast registration is 0 or more than max_mr_size");
  }
  const auto id = take_slot(RegionKind::kFast);
  if (!id) return id;
  Region& region = slots_[*id];
  region.pd = pd;
  region.length_max = length_max;
  return region.key;
}

base::Result<std::uint32_t> RegionTable::reregister(std::uint32_t id, std::uint32_t mask,
                                                    const Registration& registration) {
  const Region* old = find_region(id);
  if (old == nullptr || old->kind != RegionKind::kPinned) return base::fail(EINVAL, "no such memory region");
  if (mask == 0 || (mask & ~(kReregTranslation | kReregPd | kReregAccess)) != 0) {
    return base::fail(EINVAL, "nothing or something unknown to change in the region");
  }
  if (old->windows != 0) return base::fail(EBUSY, "memory windows are bound to the region");
  Registration merged{old->pd, old->host, old->length, old->iova, old->access};
  if ((mask & kReregPd) != 0) merged.pd = registration.pd;
  if ((mask & kReregAccess) != 0) merged.access = registration.access;
  if ((mask & kReregTranslation) != 0) {
    merged.host = registration.host;
    merged.length = registration.length;
    merged.iova = registration.iova;
  }
  if (const auto checked = check_registration(merged); !checked) return tl::make_unexpected(checked.error());
  ++generation_;
  Region& region = slots_[id];
  region.pd = merged.pd;
  region.access = merged.access;
  region.host = marked(merged.host, merged.access);
  region.length = merged.length;
  region.iova = (merged.access & access::kZeroBased) != 0 ? 0 : merged.iova;
  // Requests that were meant for the old memory must not reach the new one.
  if ((mask & kReregTranslation) != 0) region.key = next_variant(region.key);
  return region.key;
}

base::Result<void> RegionTable::deregister(std::uint32_t id) {
  const Region* region = find_region(id);
  if (region == nullptr) return base::fail(EINVAL, "no such memory region");
  if (region->windows != 0) return base::fail(EBUSY, "memory windows are bound to the region");
  give_back(id);
  return {};
}

AccessFault RegionTable::map_fast(const FastMapping& mapping) {
  Region* region = mutable_slot(mapping.region);
  if (region == nullptr || region->key >> 8 != mapping.key >> 8) return AccessFault::kUnknownKey;
  if (region->kind != RegionKind::kFast) return AccessFault::kWrongKind;
  if (region->pd != mapping.pd) return AccessFault::kWrongPd;
  if (region->state != RegionState::kFree) return AccessFault::kBusy;
  const bool zero_based = (mapping.access & access::kZeroBased) != 0;
  const std::uint64_t iova = zero_based ? 0 : mapping.iova;
  if ((mapping.access & ~access::kAll) != 0 || !rights_agree(mapping.access)) return AccessFault::kNoRight;
  if (mapping.length > region->length_max || wraps(iova, mapping.length) ||
      wraps(reinterpret_cast<std::uint64_t>(mapping.host), mapping.length)) {
    return AccessFault::kOutOfRange;
  }
  region->host = mapping.host;
  region->iova = iova;
  region->length = mapping.length;
  region->access = mapping.access;
  region->key = mapping.key;
  region->state = RegionState::kValid;
  return AccessFault::kNone;
}

// --- invalidation
// -----------------------------------------------------------------------------------------------------

AccessFault RegionTable::may_invalidate(std::uint32_t key, std::uint32_t pd) const {
  const Region* region = find(key >> 8);
  if (region == nullptr || region->key != key) return AccessFault::kUnknownKey;
  if (region->pd != pd) return AccessFault::kWrongPd;
  // Type 1 windows and regions of the verbs call have an owner outside the work queues.
  if (region->kind != RegionKind::kFast && region->kind != RegionKind::kWindow2) return AccessFault::kWrongKind;
  if (region->state != RegionState::kValid) return AccessFault::kNotValid;
  return region->windows != 0 ? AccessFault::kBusy : AccessFault::kNone;
}

AccessFault RegionTable::may_invalidate_remote(std::uint32_t key, std::uint32_t pd, std::uint32_t qpn) const {
  const AccessFault fault = may_invalidate(key, pd);
  if (fault != AccessFault::kNone) return fault;
  const Region& region = slots_[key >> 8];
  if (region.kind == RegionKind::kWindow2 && region.qpn != qpn) return AccessFault::kWrongQp;
  // A region without remote rights has no R_Key that a peer could name.
  if (region.kind == RegionKind::kFast && (region.access & access::kRemote) == 0) return AccessFault::kNoRight;
  return AccessFault::kNone;
}

AccessFault RegionTable::invalidate_local(std::uint32_t key, std::uint32_t pd) {
  const AccessFault fault = may_invalidate(key, pd);
  if (fault == AccessFault::kNone) invalidate(key >> 8);
  return fault;
}

AccessFault RegionTable::invalidate_remote(std::uint32_t key, std::uint32_t pd, std::uint32_t qpn) {
  const AccessFault fault = may_invalidate_remote(key, pd, qpn);
  if (fault == AccessFault::kNone) invalidate(key >> 8);
  return fault;
}

void RegionTable::invalidate(std::uint32_t id) {
  ++generation_;
  Region& region = slots_[id];
  if (region.is_window()) {
    unbind(region);
    return;
  }
  region.host = nullptr;
  region.iova = region.length = 0;
  region.access = 0;
  region.state = RegionState::kFree;
}

}  // namespace rocelab::mm
