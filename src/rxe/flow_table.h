// Steering rules: which raw packet QPs an Ethernet frame goes to. Owned by Device; kept in the order of priorities and,
// among equals, of creation. Not thread-safe.
//
// Of the normal rules that match, those of the best priority (the lowest number) take the frame, all of them; rules
// that do not trap let those behind them see it, too. A frame that no normal rule has taken goes to the default rules.
// A sniffer gets a copy of everything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "rxe/flow_key.h"
#include "rxe/types.h"

namespace rocelab::rxe {

class FlowTable {
 public:
  static constexpr std::size_t kRulesMax = 4096;

  /// ENOMEM: too many rules.
  base::Result<FlowId> add(const FlowRule& rule);
  /// EINVAL: no such rule.
  base::Result<void> remove(FlowId id);
  bool empty() const { return rules_.empty(); }
  bool has_sniffer() const;
  bool steers_to(Qpn qpn) const;

  /// Calls take(rule) for every rule that the frame goes to. `roce`: others have it already, sniffers alone want it.
  /// true: a rule besides sniffers has taken or dropped it.
  template <class Take>
  bool steer(const FlowKey& key, bool roce, Take&& take) const {
    bool taken = false, trapped = false;
    std::uint32_t priority = 0;
    for (const Entry& entry : rules_) {
      const FlowRule& rule = entry.rule;
      if (rule.type == FlowType::kSniffer) {
        take(rule);
        continue;
      }
      if (roce || rule.type != FlowType::kNormal || !matches(rule, key)) continue;
      if (trapped && rule.priority != priority) continue;
      taken = true;
      if (!rule.drops) take(rule);
      if (!rule.lets_pass && !trapped) {
        trapped = true;
        priority = rule.priority;
      }
    }
    if (taken || roce) return taken;
    const bool multicast = (key.bytes[FlowKey::kDestinationMac] & std::byte{1}) != std::byte{0};
    for (const Entry& entry : rules_) {
      const FlowType type = entry.rule.type;
      if (type == FlowType::kAllDefault || (type == FlowType::kMulticastDefault && multicast)) {
        take(entry.rule);
        taken = true;
      }
    }
    return taken;
  }

 private:
  struct Entry {
    FlowId id{};
    FlowRule rule;
  };
  static bool matches(const FlowRule& rule, const FlowKey& key);

  std::vector<Entry> rules_;
  std::uint32_t next_id_ = 1;
};

}  // namespace rocelab::rxe
