// Which UDP source port, the entropy by which ECMP spreads packets over paths, each packet of a QP takes, where not all
// of them take the same. kRecycled is REPS (Bonato et al., "REPS: Recycled Entropy Packet Spraying for Adaptive Load
// Balancing and Failure Mitigation", 2024): ports whose packets were acknowledged without a mark are used again; others
// are drawn. The responder sends an ACK with the port of the packet it answers, so that port and mark (BECN) come back.
// One a QP, allocated when its first packet leaves.
#pragma once

#include <array>
#include <cstdint>

#include "base/rng.h"
#include "base/time.h"

namespace rocelab::rxe {

enum class Entropy : std::uint8_t {
  kPerQp,     ///< one port a QP: all its packets take one path
  kRandom,    ///< a port drawn for each packet: spraying
  kRecycled,  ///< REPS
};

class EntropyChooser {
 public:
  explicit EntropyChooser(bool recycles) : recycles_(recycles) {}

  std::uint16_t next(base::Rng& rng) {
    if (fresh_ != 0) {
      const std::uint16_t port = ports_[(head_ - fresh_) % kPorts];
      --fresh_;
      return port;
    }
    if (frozen_ && known_ != 0) return ports_[reuse_++ % known_];  // no new paths while some of them have failed
    return static_cast<std::uint16_t>(kPortFirst + rng.below(kPortCount));
  }
  void on_ack(base::TimePoint now, std::uint16_t port, bool marked) {
    if (!recycles_ || marked) return;
    ports_[head_++ % kPorts] = port;
    if (fresh_ < kPorts) ++fresh_;
    if (known_ < kPorts) ++known_;
    if (frozen_ && now >= thaw_) frozen_ = false;
  }
  /// Packets were lost, perhaps to a failed path.
  void on_timeout(base::TimePoint now) {
    if (!recycles_ || known_ == 0) return;
    frozen_ = true;
    thaw_ = now + kFreeze;
  }

  /// Dynamic ports of RoCE v2: IBTA annex A17, 9.2.
  static constexpr std::uint16_t kPortFirst = 0xc000;
  static constexpr std::uint32_t kPortCount = 0x4000;

 private:
  static constexpr std::uint32_t kPorts = 8;                          ///< the paper's buffer
  static constexpr base::Duration kFreeze = base::Duration::us(100);  ///< ours: about an RTO of IRN

  std::array<std::uint16_t, kPorts> ports_{};
  std::uint32_t head_ = 0;   ///< where the next port goes
  std::uint32_t fresh_ = 0;  ///< of the newest ports, not used again since their ACK
  std::uint32_t known_ = 0;
  std::uint32_t reuse_ = 0;
  bool recycles_;
  bool frozen_ = false;
  base::TimePoint thaw_;
};

}  // namespace rocelab::rxe
