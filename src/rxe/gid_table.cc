// The port's GID table: validation and searches.
#include "rxe/gid_table.h"

#include <cerrno>

namespace rocelab::rxe {

namespace {

constexpr std::uint16_t kVlanIdMax = 4094;  ///< IEEE 802.1Q, 9.6: 4095 is reserved

bool same_address(const GidEntry& a, const GidEntry& b) {
  return a.gid == b.gid && a.type == b.type && a.has_vlan == b.has_vlan && (!a.has_vlan || a.vlan_id == b.vlan_id);
}

}  // namespace

base::Result<void> GidTable::set(std::size_t index, const GidEntry& entry) {
  if (index >= length_) return base::fail(EINVAL, "the GID index is outside the table");
  if (!entry.valid) {
    if (index < entries_.size()) entries_[index] = GidEntry{};
    return {};
  }
  if (entry.gid.is_zero() || entry.gid.is_multicast()) {
    return base::fail(EINVAL, "a port's GID is neither zero nor a multicast address");
  }
  if (entry.type != GidType::kRoceV1 && entry.type != GidType::kRoceV2) return base::fail(EINVAL, "unknown GID type");
  if (entry.has_vlan && entry.vlan_id > kVlanIdMax) return base::fail(EINVAL, "the VLAN id is beyond 4094");
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (i != index && entries_[i].valid && same_address(entries_[i], entry)) {
      return base::fail(EEXIST, "another index of the table holds this GID");
    }
  }
  if (index >= entries_.size()) entries_.resize(index + 1);
  entries_[index] = entry;
  return {};
}

base::Result<GidEntry> GidTable::get(std::size_t index) const {
  if (index >= length_) return base::fail(EINVAL, "the GID index is outside the table");
  return index < entries_.size() ? entries_[index] : GidEntry{};
}

std::optional<std::size_t> GidTable::index_of(const wire::Gid& gid, GidType type) const {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].valid && entries_[i].type == type && entries_[i].gid == gid) return i;
  }
  return std::nullopt;
}

bool GidTable::contains(const wire::Gid& gid) const {
  for (const GidEntry& entry : entries_) {
    if (entry.valid && entry.gid == gid) return true;
  }
  return false;
}

}  // namespace rocelab::rxe
