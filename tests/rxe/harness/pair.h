// Two engines, a virtual clock and a faulty link, in the manner of quinn-proto's test pair. drive() steps until both
// are idle, jumping to the next event, so that seconds of retries cost nothing. Single-threaded and deterministic: the
// same options give the same packets.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/rxe/harness/faulty_link.h"
#include "tests/rxe/harness/side.h"

namespace rocelab::test {

struct PairOptions {
  std::uint64_t seed = 1;
  rxe::DeviceOptions a = device_options(1);
  rxe::DeviceOptions b = device_options(2);
  bool wire_exact = true;  ///< packets travel as encoded frames
  bool record = true;      ///< keep every packet sent
  std::size_t burst = 16;
};

struct Recorded {
  char from = 'a';
  base::TimePoint at;
  OwnedPacket packet;
};

class Pair {
 public:
  explicit Pair(const PairOptions& options = {});
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  Side a;
  Side b;
  FaultyLink a_to_b;
  FaultyLink b_to_a;

  base::TimePoint now() const { return now_; }
  /// Does what is due now, or jumps to the next thing that is due. False: there is none, both are idle.
  bool step();
  /// Steps until idle; false when that takes more than `steps_max` (an engine that never rests, or retries for ever).
  bool drive(std::uint64_t steps_max = 1'000'000);
  /// Steps until `done()`; false when idle before, or after steps_max.
  bool drive_until(const std::function<bool()>& done, std::uint64_t steps_max = 1'000'000);
  /// Lets time pass, doing what falls due in it.
  void advance(base::Duration span);

  /// Hands packets to an engine as if the link had brought them.
  void inject(Side& to, const wire::Packet& packet) { to.device.handle_packet(now_, packet); }

  std::vector<Recorded> sent;
  /// The recorded packets as lines `a RC_SEND_ONLY psn 1000 len 64 ackreq`; forgets them when `clear`.
  std::vector<std::string> lines(bool clear = true);
  std::size_t count_sent(char from, wire::Opcode opcode) const;

 private:
  void set_now(base::TimePoint t);
  bool work_now();
  std::optional<base::TimePoint> next_event() const;

  PairOptions options_;
  base::TimePoint now_ = base::TimePoint::from_ns(1'000'000);
};

}  // namespace rocelab::test
