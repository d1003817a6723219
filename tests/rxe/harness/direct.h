// Two engines coupled without a link: what one transmits the other handles at once, within the same call, without a
// copy and without an allocation of the harness's own. For tests of volume (2 GiB of elided memory) and of allocation.
// Drops every `drop_every`th packet when asked to.
#pragma once

#include <cstdint>

#include "tests/rxe/harness/endpoint.h"
#include "tests/rxe/harness/side.h"

namespace rocelab::test {

class Direct {
 public:
  explicit Direct(const rxe::DeviceOptions& a_options = device_options(1),
                  const rxe::DeviceOptions& b_options = device_options(2))
      : a(1, a_options), b(2, b_options), to_b_{*this, b}, to_a_{*this, a} {}
  Direct(const Direct&) = delete;
  Direct& operator=(const Direct&) = delete;

  Side a;
  Side b;
  std::uint64_t drop_every = 0;
  std::uint64_t packets = 0;

  /// Lets both speak until neither has anything to say, jumping to deadlines; false after steps_max turns.
  bool drive(std::uint64_t steps_max = 10'000'000) {
    for (std::uint64_t i = 0; i < steps_max; ++i) {
      const std::size_t taken =
          a.device.poll_transmit(now_, to_b_, kBurst) + b.device.poll_transmit(now_, to_a_, kBurst);
      if (taken != 0) continue;
      const auto due_a = a.device.next_timeout(), due_b = b.device.next_timeout();
      if (!due_a && !due_b) return true;
      const auto due = due_a && (!due_b || *due_a < *due_b) ? *due_a : *due_b;
      if (due > now_) now_ = due;
      a.now = b.now = now_;
      a.device.handle_timeout(now_);
      b.device.handle_timeout(now_);
    }
    return false;
  }

 private:
  static constexpr std::size_t kBurst = 64;

  struct Hop final : rxe::TxSink {
    Hop(Direct& owner, Side& to_side) : direct(owner), to(to_side) {}
    bool transmit(const wire::Packet& packet) override {
      ++direct.packets;
      if (direct.drop_every != 0 && direct.packets % direct.drop_every == 0) return true;
      wire::Packet flat = packet;
      if (!packet.payload.pieces.empty()) flat.payload = gather(packet.payload);
      to.device.handle_packet(direct.now_, flat);
      return true;
    }
    /// One piece is passed on where it lies; more are put together in a buffer of the hop.
    wire::Payload gather(const wire::Payload& payload) {
      if (payload.pieces.size() == 1 || payload.pieces[0].data == nullptr) {
        return {payload.pieces[0].data, payload.length, {}};
      }
      std::size_t at = 0;
      for (const wire::Segment& piece : payload.pieces) {
        for (std::uint32_t i = 0; i < piece.length; ++i) buffer[at++] = piece.data[i];
      }
      return {buffer, payload.length, {}};
    }
    Direct& direct;
    Side& to;
    std::byte buffer[4096];
  };

  base::TimePoint now_ = base::TimePoint::from_ns(1'000'000);
  Hop to_b_;
  Hop to_a_;
};

/// Two connected endpoints of a Direct, in RTS.
struct DirectConnection {
  DirectConnection(Direct& direct, const QpOptions& options)
      : a(direct.a, options), b(direct.b, options), valid(connect(a, b)) {}
  Endpoint a;
  Endpoint b;
  bool valid;
};

}  // namespace rocelab::test
