// Protection domains: numbers with a count of what lives in them. Owned by Device; everything that names a PD takes a
// use of it at creation and returns it at destruction.
#pragma once

#include <cerrno>
#include <cstdint>

#include "base/result.h"
#include "rxe/slot_table.h"
#include "rxe/types.h"

namespace rocelab::rxe {

class PdTable {
 public:
  explicit PdTable(std::size_t count_max) : table_(count_max) {}

  base::Result<PdId> alloc() {
    const auto id = table_.emplace();
    if (!id) return tl::make_unexpected(id.error());
    return PdId{*id};
  }
  /// EINVAL: no such PD; EBUSY: something lives in it.
  base::Result<void> dealloc(PdId pd) {
    const Entry* entry = find(pd);
    if (entry == nullptr) return base::fail(EINVAL, "no such protection domain");
    if (entry->users != 0) return base::fail(EBUSY, "the protection domain is in use");
    table_.erase(static_cast<std::uint32_t>(pd));
    return {};
  }
  bool valid(PdId pd) const { return find(pd) != nullptr; }
  std::uint32_t users(PdId pd) const { return find(pd) == nullptr ? 0 : find(pd)->users; }
  /// The PD must be valid.
  void add_user(PdId pd) { ++find(pd)->users; }
  void remove_user(PdId pd) { --find(pd)->users; }

 private:
  struct Entry {
    std::uint32_t users = 0;
  };
  Entry* find(PdId pd) const { return table_.find(static_cast<std::uint32_t>(pd)); }

  SlotTable<Entry> table_;
};

}  // namespace rocelab::rxe
