// One direction of a virtual wire between two engines: delay, and seeded or scripted loss, duplication, reordering,
// corruption and ECN marking. With `wire_exact` each packet travels as a whole Ethernet frame through net::encode_frame
// and net::decode_frame, so that corruption is what the ICRC catches and the codec is covered too. Owned by a Pair.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "tests/rxe/harness/owned_packet.h"

namespace rocelab::test {

/// Chances are per 1,000 packets.
struct Faults {
  std::uint32_t loss = 0;
  std::uint32_t duplicate = 0;
  std::uint32_t reorder = 0;  ///< the packet takes up to 8 delays longer, so that later ones overtake it
  std::uint32_t corrupt = 0;
  std::uint32_t ecn = 0;  ///< marks an ECN-capable packet as having met congestion
  base::Duration delay = base::Duration::us(1);
};

class FaultyLink {
 public:
  FaultyLink(std::uint64_t seed, std::string_view name, bool wire_exact);

  Faults faults;

  void send(base::TimePoint now, const wire::Packet& packet);
  std::optional<base::TimePoint> next_arrival() const;
  /// The next packet that has arrived by `now`; nothing when there is none.
  bool take(base::TimePoint now, OwnedPacket& out);
  bool empty() const { return flying_.empty(); }

  /// Scripted faults, consulted before the seeded ones; each applies to the packets handed to send() from now on.
  using Match = std::function<bool(const wire::Packet&)>;
  void drop_nth(std::uint64_t n);  ///< 1 is the next packet
  void drop_if(Match match, unsigned times = 1);
  void delay_if(Match match, base::Duration extra, unsigned times = 1);
  void duplicate_if(Match match, unsigned times = 1);
  void drop_all(bool on) { cut_ = on; }

  struct Tally {
    std::uint64_t sent = 0, lost = 0, duplicated = 0, reordered = 0, corrupted = 0, rejected = 0, delivered = 0;
  };
  const Tally& tally() const { return tally_; }

 private:
  struct Flying {
    OwnedPacket packet;
    std::vector<std::byte> frame;  ///< wire_exact: what is decoded on arrival
    bool corrupt = false;
  };
  enum class ScriptKind : std::uint8_t { kDrop, kDelay, kDuplicate };
  struct Script {
    ScriptKind kind;
    Match match;
    base::Duration extra;
    unsigned times;
  };

  const Script* scripted(const wire::Packet& packet, ScriptKind kind);
  void launch(base::TimePoint now, const wire::Packet& packet, base::Duration extra);
  void damage(Flying& flying);

  base::Rng rng_;
  bool wire_exact_;
  bool cut_ = false;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Flying> flying_;  ///< by (arrival in ps, order of sending)
  std::uint64_t order_ = 0;
  std::vector<std::uint64_t> drops_;
  std::vector<Script> scripts_;
  Tally tally_;
};

}  // namespace rocelab::test
