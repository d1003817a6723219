// The port's GID table: addresses with their encapsulation. Owned by Device, filled by its owner (set_gid), read when
// address handles and connections are made and when packets arrive. Fixed length; memory up to the highest index set.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/result.h"
#include "rxe/types.h"

namespace rocelab::rxe {

class GidTable {
 public:
  explicit GidTable(std::size_t length) : length_(length) {}

  std::size_t size() const { return length_; }
  /// An entry with valid == false clears the index. EINVAL: no such index, a valid entry whose GID is zero or a
  /// multicast address, an unknown type or VLAN id beyond 4094; EEXIST: another index holds the same GID, type and
  /// VLAN.
  base::Result<void> set(std::size_t index, const GidEntry& entry);
  /// The entry, also an unset one (valid == false); EINVAL: no such index.
  base::Result<GidEntry> get(std::size_t index) const;
  /// nullptr when the index is outside or unset.
  const GidEntry* find(std::size_t index) const {
    return index < entries_.size() && entries_[index].valid ? &entries_[index] : nullptr;
  }
  /// The first index that holds this address with this encapsulation.
  std::optional<std::size_t> index_of(const wire::Gid& gid, GidType type) const;
  /// Is this one of the port's addresses, in whatever encapsulation?
  bool contains(const wire::Gid& gid) const;

 private:
  std::size_t length_;
  std::vector<GidEntry> entries_;  ///< the first ones; those behind are unset
};

}  // namespace rocelab::rxe
