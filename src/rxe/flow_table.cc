// See flow_table.h.
#include "rxe/flow_table.h"

#include <algorithm>
#include <cerrno>

namespace rocelab::rxe {

base::Result<FlowId> FlowTable::add(const FlowRule& rule) {
  if (rules_.size() == kRulesMax) return base::fail(ENOMEM, "the device has no more steering rules");
  const auto behind = std::find_if(rules_.begin(), rules_.end(),
                                   [&](const Entry& entry) { return entry.rule.priority > rule.priority; });
  const FlowId id{next_id_++};
  rules_.insert(behind, {id, rule});
  return id;
}

base::Result<void> FlowTable::remove(FlowId id) {
  if (std::erase_if(rules_, [&](const Entry& entry) { return entry.id == id; }) == 0) {
    return base::fail(EINVAL, "no such steering rule");
  }
  return {};
}

bool FlowTable::has_sniffer() const {
  return std::any_of(rules_.begin(), rules_.end(),
                     [](const Entry& entry) { return entry.rule.type == FlowType::kSniffer; });
}

bool FlowTable::steers_to(Qpn qpn) const {
  return std::any_of(rules_.begin(), rules_.end(), [&](const Entry& entry) { return entry.rule.qpn == qpn; });
}

bool FlowTable::matches(const FlowRule& rule, const FlowKey& key) {
  for (std::size_t i = 0; i < FlowKey::kSize; ++i) {
    if (((key.bytes[i] ^ rule.value.bytes[i]) & rule.mask.bytes[i]) != std::byte{0}) return false;
  }
  return true;
}

}  // namespace rocelab::rxe
