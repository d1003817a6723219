// Multicast groups: attach and detach.
#include "rxe/multicast.h"

#include <algorithm>
#include <cerrno>

namespace rocelab::rxe {

namespace {

auto find_member(auto& members, Qpn qpn) {
  return std::lower_bound(members.begin(), members.end(), qpn,
                          [](const MulticastTable::Member& member, Qpn value) { return member.qpn < value; });
}

}  // namespace

base::Result<void> MulticastTable::attach(Qpn qpn, QpType type, const wire::Gid& group) {
  if (type != QpType::kUd) return base::fail(EINVAL, "only UD QPs join multicast groups");
  if (!group.is_multicast()) return base::fail(EINVAL, "the GID is no multicast address");
  const auto found = groups_.find(group);
  if (found == groups_.end()) {
    if (groups_.size() >= groups_max_ || members_max_ == 0) return base::fail(ENOMEM, "too many multicast groups");
    groups_[group].push_back({qpn, 1});
    ++changes_;
    return {};
  }
  auto& members = found->second;
  const auto member = find_member(members, qpn);
  if (member != members.end() && member->qpn == qpn) {
    ++member->attaches;
    return {};
  }
  if (members.size() >= members_max_) return base::fail(ENOMEM, "too many QPs in the multicast group");
  members.insert(member, {qpn, 1});
  return {};
}

base::Result<void> MulticastTable::detach(Qpn qpn, const wire::Gid& group) {
  const auto found = groups_.find(group);
  if (found == groups_.end()) return base::fail(EINVAL, "the QP is not attached to the multicast group");
  auto& members = found->second;
  const auto member = find_member(members, qpn);
  if (member == members.end() || member->qpn != qpn) {
    return base::fail(EINVAL, "the QP is not attached to the multicast group");
  }
  if (--member->attaches == 0) members.erase(member);
  if (members.empty()) {
    groups_.erase(found);
    ++changes_;
  }
  return {};
}

std::vector<wire::Gid> MulticastTable::groups() const {
  std::vector<wire::Gid> all;
  for (const auto& entry : groups_) all.push_back(entry.first);
  return all;
}

std::span<const MulticastTable::Member> MulticastTable::members(const wire::Gid& group) const {
  const auto found = groups_.find(group);
  if (found == groups_.end()) return {};
  return found->second;
}

std::size_t MulticastTable::groups_of(Qpn qpn) const {
  std::size_t count = 0;
  for (const auto& [group, members] : groups_) {
    const auto member = find_member(members, qpn);
    if (member != members.end() && member->qpn == qpn) ++count;
  }
  return count;
}

}  // namespace rocelab::rxe
