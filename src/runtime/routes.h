// Where a GID lies: on this host (and then on which of its devices), on a multicast group, or elsewhere. Filled once
// from the descriptions of the host's devices; asked for every packet, in both directions.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "runtime/local_device.h"
#include "wire/gid.h"

namespace rocelab::runtime {

class Routes {
 public:
  static constexpr std::uint32_t kElsewhere = ~0u, kMulticast = ~0u - 1;

  explicit Routes(std::span<const DeviceDescription> devices) {
    for (const DeviceDescription& device : devices) {
      for (const rxe::GidEntry& entry : device.gids) {
        bool known = false;
        for (const Entry& e : entries_) known = known || e.gid == entry.gid;
        if (entry.valid && !known) entries_.push_back({entry.gid, device.index});
      }
    }
  }

  /// Index of the host's device that has this GID, kMulticast or kElsewhere.
  std::uint32_t find(const wire::Gid& gid) {
    if (last_ < entries_.size() && same(entries_[last_].gid, gid)) return entries_[last_].device;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (!same(entries_[i].gid, gid)) continue;
      last_ = i;
      return entries_[i].device;
    }
    return gid.is_multicast() ? kMulticast : kElsewhere;
  }

 private:
  struct Entry {
    wire::Gid gid;
    std::uint32_t device;
  };
  static bool same(const wire::Gid& a, const wire::Gid& b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

  std::vector<Entry> entries_;
  std::size_t last_ = 0;  ///< most packets go where the one before went
};

}  // namespace rocelab::runtime
