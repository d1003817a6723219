// See pair.h.
#include "tests/rxe/harness/pair.h"

namespace rocelab::test {

namespace {
constexpr base::Duration kRefusalPause = base::Duration::ns(200);  // a sink that refused is asked again after this

void earliest(std::optional<base::TimePoint>& best, std::optional<base::TimePoint> candidate) {
  if (candidate && (!best || *candidate < *best)) best = candidate;
}
}  // namespace

Pair::Pair(const PairOptions& options)
    : a(1, options.a),
      b(2, options.b),
      a_to_b(options.seed, "a_to_b", options.wire_exact),
      b_to_a(options.seed, "b_to_a", options.wire_exact),
      options_(options) {
  a.out = [this](const wire::Packet& packet) {
    if (options_.record) sent.push_back({'a', now_, OwnedPacket(packet)});
    a_to_b.send(now_, packet);
  };
  b.out = [this](const wire::Packet& packet) {
    if (options_.record) sent.push_back({'b', now_, OwnedPacket(packet)});
    b_to_a.send(now_, packet);
  };
  set_now(now_);
}

void Pair::set_now(base::TimePoint t) {
  now_ = t;
  a.now = t;
  b.now = t;
}

bool Pair::work_now() {
  bool worked = false;
  for (Side* side : {&a, &b}) {
    FaultyLink& inbound = side == &a ? b_to_a : a_to_b;
    const auto timeout = side->device.next_timeout();
    if (timeout && *timeout <= now_) {
      side->device.handle_timeout(now_);
      worked = true;
    }
    OwnedPacket packet;
    while (inbound.take(now_, packet)) {
      side->device.handle_packet(now_, packet.view());
      worked = true;
    }
    if (side->transmit(options_.burst) > 0) worked = true;
  }
  return worked;
}

std::optional<base::TimePoint> Pair::next_event() const {
  std::optional<base::TimePoint> next;
  earliest(next, a_to_b.next_arrival());
  earliest(next, b_to_a.next_arrival());
  for (const Side* side : {&a, &b}) {
    earliest(next, side->device.next_timeout());
    if (side->device.has_transmit()) earliest(next, now_ + kRefusalPause);
  }
  return next;
}

bool Pair::step() {
  if (work_now()) return true;
  const auto next = next_event();
  if (!next) return false;
  if (*next > now_) set_now(*next);
  return true;
}

bool Pair::drive(std::uint64_t steps_max) {
  for (std::uint64_t i = 0; i < steps_max; ++i) {
    if (!step()) return true;
  }
  return false;
}

bool Pair::drive_until(const std::function<bool()>& done, std::uint64_t steps_max) {
  for (std::uint64_t i = 0; i < steps_max; ++i) {
    if (done()) return true;
    if (!step()) return done();
  }
  return false;
}

void Pair::advance(base::Duration span) {
  const base::TimePoint end = now_ + span;
  for (std::uint64_t i = 0; i < 1'000'000; ++i) {
    if (work_now()) continue;
    const auto next = next_event();
    if (!next || *next > end) break;
    if (*next > now_) set_now(*next);
  }
  if (end > now_) set_now(end);
}

std::vector<std::string> Pair::lines(bool clear) {
  std::vector<std::string> result;
  for (const Recorded& record : sent)
    result.push_back(std::string(1, record.from) + ' ' + to_line(record.packet.view()));
  if (clear) sent.clear();
  return result;
}

std::size_t Pair::count_sent(char from, wire::Opcode opcode) const {
  std::size_t count = 0;
  for (const Recorded& record : sent) {
    if (record.from == from && record.packet.header().bth.opcode == opcode) ++count;
  }
  return count;
}

}  // namespace rocelab::test
