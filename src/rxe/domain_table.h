// Protection domains and XRC domains: numbers with a count of what lives in them. Owned by Device; everything that
// names a domain takes a use of it at creation and returns it at destruction.
#pragma once

#include <cerrno>
#include <cstdint>

#include "base/result.h"
#include "rxe/slot_table.h"
#include "rxe/types.h"

namespace rocelab::rxe {

template <class Id>
class DomainTable {
 public:
  explicit DomainTable(std::size_t count_max) : table_(count_max) {}

  base::Result<Id> alloc() {
    const auto id = table_.emplace();
    if (!id) return tl::make_unexpected(id.error());
    return Id{*id};
  }
  /// EINVAL: no such domain; EBUSY: something lives in it.
  base::Result<void> dealloc(Id id) {
    const Entry* entry = find(id);
    if (entry == nullptr) return base::fail(EINVAL, "no such domain");
    if (entry->users != 0) return base::fail(EBUSY, "the domain is in use");
    table_.erase(static_cast<std::uint32_t>(id));
    return {};
  }
  bool valid(Id id) const { return find(id) != nullptr; }
  std::uint32_t users(Id id) const { return find(id) == nullptr ? 0 : find(id)->users; }
  /// The domain must be valid.
  void add_user(Id id) { ++find(id)->users; }
  void remove_user(Id id) { --find(id)->users; }

 private:
  struct Entry {
    std::uint32_t users = 0;
  };
  Entry* find(Id id) const { return table_.find(static_cast<std::uint32_t>(id)); }

  SlotTable<Entry> table_;
};

using PdTable = DomainTable<PdId>;
using XrcDomainTable = DomainTable<XrcdId>;

}  // namespace rocelab::rxe
