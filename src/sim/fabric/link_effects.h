// What a link does to packets besides carrying them: bit errors, random loss, scripted loss. Belongs to the port that
// the packets leave from, one direction of the link; most links have none. Failures and flaps are events instead
// (event_kind::kLinkState), because both ends learn of them.
#pragma once

#include <cstdint>
#include <vector>

#include "base/rng.h"
#include "sim/fabric/packet.h"

namespace rocelab::sim {

/// Loses (or corrupts) some of the packets that match, counted from 1 in the order in which they leave.
struct ScriptedLoss {
  std::uint16_t flags = 0;       ///< packet_flag bits that a matching packet has all of; 0: any packet
  NodeId source = kNoNode;       ///< of a matching packet; kNoNode: any
  NodeId destination = kNoNode;  ///< likewise
  std::uint64_t first = 1;       ///< the first match to lose
  std::uint64_t count = 1;       ///< how many matches in a row from there on
  bool corrupt = false;          ///< a bit error at the receiver instead of nothing arriving
};

struct LinkEffectsOptions {
  std::uint64_t bit_errors_per_1e18 = 0;  ///< 10^6 is a bit error rate of 10^-12
  std::uint64_t loss_numerator = 0;       ///< probability that a packet is lost, as a fraction
  std::uint64_t loss_denominator = 1;
  std::vector<ScriptedLoss> scripted;
};

class LinkEffects {
 public:
  enum class Fate : std::uint8_t { kPasses, kCorrupted, kLost };

  LinkEffects(const LinkEffectsOptions& options, base::Rng rng);

  /// What happens to the packet that leaves now. To be asked once a packet, in the order of leaving.
  Fate decide(const Packet& packet);
  void set_bit_errors(std::uint64_t per_1e18);
  /// Probability, in units of 2^-64, that a packet of that many bytes has no bit error (at most 2^64 - 1).
  std::uint64_t intact_probability(std::uint32_t bytes) const;

 private:
  struct Script {
    ScriptedLoss loss;
    std::uint64_t matches = 0;
  };

  LinkEffectsOptions options_;
  std::vector<Script> scripts_;
  base::Rng rng_;
  std::uint32_t known_bytes_ = 0;  ///< the length for which known_intact_ was computed
  std::uint64_t known_intact_ = ~0ull;
};

}  // namespace rocelab::sim
