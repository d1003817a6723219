// Multicast groups: which UD QPs get a copy of a datagram sent to a group. Owned by Device. Attaching counts: a QP
// attached twice is detached after two detaches, and still receives one copy (IBTA vol 1, 10.5.2). Groups and members
// are kept in order, so that delivery order is deterministic. Not thread-safe; attach allocates, lookup does not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "base/result.h"
#include "rxe/types.h"

namespace rocelab::rxe {

class MulticastTable {
 public:
  struct Member {
    Qpn qpn = 0;
    std::uint32_t attaches = 0;
  };

  MulticastTable(std::size_t groups_max, std::size_t members_max)
      : groups_max_(groups_max), members_max_(members_max) {}

  /// EINVAL: not a UD QP, or not a multicast GID; ENOMEM: too many groups, or members of the group.
  base::Result<void> attach(Qpn qpn, QpType type, const wire::Gid& group);
  /// EINVAL: not attached.
  base::Result<void> detach(Qpn qpn, const wire::Gid& group);
  /// The group's QPs by ascending number; empty when nobody listens. Valid until the table changes.
  std::span<const Member> members(const wire::Gid& group) const;
  /// To how many groups the QP is attached; destroy_qp is EBUSY while not 0.
  std::size_t groups_of(Qpn qpn) const;
  std::size_t size() const { return groups_.size(); }
  std::vector<wire::Gid> groups() const;
  /// Differs after each change of the groups.
  std::uint32_t changes() const { return changes_; }

 private:
  std::size_t groups_max_;
  std::size_t members_max_;
  std::map<wire::Gid, std::vector<Member>> groups_;
  std::uint32_t changes_ = 0;
};

}  // namespace rocelab::rxe
