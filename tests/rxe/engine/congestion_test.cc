// Two senders, one receiver behind a bottleneck of 40 Gb/s, engines at all ends: each congestion control strategy
// shares the line and keeps it busy. And what the engine echoes: marks, telemetry, ports.
#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "tests/rxe/harness/expect.h"

namespace rocelab::test {

using rxe::CongestionControl;

namespace {

constexpr std::uint64_t kRateMbps = 40'000;
constexpr std::uint64_t kPsPerByte = 200;
constexpr std::uint32_t kHeaderBytes = 82;
const base::Duration kDelay = base::Duration::us(4);
constexpr std::uint64_t kMarkAbove = 80'000, kMarkAllAbove = 240'000;  // bytes in the queue, as RED's Kmin and Kmax
constexpr std::size_t kMessageBytes = 32'768;

rxe::DeviceOptions options_for(CongestionControl control, std::uint64_t seed) {
  rxe::DeviceOptions options = device_options(seed);
  options.congestion_control = control;
  options.link_bits_per_s = kRateMbps * 1'000'000;
  options.ack_policy = rxe::AckPolicy::kEveryPacket;
  options.congestion.base_rtt = base::Duration::us(12);
  options.congestion.hpcc.additive_increase_bits_per_s = 200'000'000;
  options.congestion.timely.additive_increase_bits_per_s = 40'000'000;
  options.congestion.timely.rtt_low = base::Duration::us(20);
  options.congestion.timely.rtt_high = base::Duration::us(200);
  return options;
}

/// The network and what drives it.
class Bottleneck {
 public:
  explicit Bottleneck(CongestionControl control)
      : receiver_(2, options_for(control, 2)),
        sender_a_(1, options_for(control, 1)),
        sender_b_(3, options_for(control, 3)) {
    for (Side* side : {&receiver_, &sender_a_, &sender_b_}) {
      side->out = [this, side](const wire::Packet& packet) { leave(*side, packet); };
    }
    for (std::size_t i = 0; i < 2; ++i) {
      Side& sender = i == 0 ? sender_a_ : sender_b_;
      QpOptions options;
      options.timeout = 18;
      flows_[i].from = std::make_unique<Endpoint>(sender, options);
      flows_[i].to = std::make_unique<Endpoint>(receiver_, options);
      REQUIRE(connect(*flows_[i].from, *flows_[i].to));
    }
  }

  void start(std::size_t flow) {
    for (std::uint64_t i = 0; i < 8; ++i) post(flow);
    speak(flow == 0 ? sender_a_ : sender_b_);
  }
  void run_until(base::TimePoint end) {
    while (!events_.empty() && events_.begin()->first.first <= end.count_ps()) {
      const auto event = std::move(events_.begin()->second);
      now_ = base::TimePoint::from_ps(events_.begin()->first.first);
      events_.erase(events_.begin());
      event();
    }
    now_ = end;
  }
  base::TimePoint now() const { return now_; }
  std::uint64_t delivered(std::size_t flow) const { return flows_[flow].delivered; }
  std::uint64_t queue_max = 0;

 private:
  struct Flow {
    std::unique_ptr<Endpoint> from, to;
    std::uint64_t delivered = 0;
  };

  void at(base::TimePoint when, std::function<void()> what) {
    events_.emplace(std::pair{when.count_ps(), ++order_}, std::move(what));
  }
  void post(std::size_t flow) {
    Endpoint& from = *flows_[flow].from;
    from.side.now = now_;
    REQUIRE(from.post(Work::write(1, flows_[flow].to->remote(0)).with(from.sge(0, kMessageBytes))));
  }
  /// Sends one packet if the port is free, and comes back when it is free again or a timer is due.
  void speak(Side& side) {
    side.now = now_;
    if (const auto due = side.device.next_timeout(); due && *due <= now_) side.device.handle_timeout(now_);
    base::TimePoint& free_at = free_[side.number];
    if (free_at <= now_) {
      if (side.transmit(1) == 1) at(free_at, [this, &side] { speak(side); });
    }
    if (const auto due = side.device.next_timeout()) {
      if (*due < wake_[side.number] || wake_[side.number] <= now_) {
        wake_[side.number] = *due;
        at(*due, [this, &side] { speak(side); });
      }
    }
  }
  void leave(Side& side, const wire::Packet& packet) {
    const std::uint64_t bytes = packet.payload.length + kHeaderBytes;
    const auto time = base::Duration::ps(static_cast<std::int64_t>(bytes * kPsPerByte));
    free_[side.number] = now_ + time;
    OwnedPacket owned(packet);
    std::vector<wire::HopTelemetry> hops(packet.telemetry.begin(), packet.telemetry.end());
    if (side.number == 2) {
      Side& to = packet.path.destination_gid == gid_of(1, kGidV2Ipv4) ? sender_a_ : sender_b_;
      at(now_ + time + kDelay, [this, &to, owned, hops] { arrive(to, owned, hops); });
      return;
    }
    at(now_ + time, [this, owned, bytes] { enqueue(owned, bytes); });
  }
  void enqueue(OwnedPacket packet, std::uint64_t bytes) {
    queue_max = std::max(queue_max, queued_);
    const bool mark = queued_ > kMarkAbove && rng_.below(kMarkAllAbove - kMarkAbove) * 5 < queued_ - kMarkAbove;
    if (mark && (packet.header().path.traffic_class & 3) != 0) packet.header().path.traffic_class |= 3;
    queued_ += bytes;
    busy_until_ = std::max(busy_until_, now_) + base::Duration::ps(static_cast<std::int64_t>(bytes * kPsPerByte));
    at(busy_until_, [this, packet = std::move(packet), bytes] {
      queued_ -= bytes;
      sent_ += bytes;
      const wire::HopTelemetry hop{now_.count_ps(), sent_, static_cast<std::uint32_t>(queued_), kRateMbps};
      at(now_ + kDelay, [this, packet, hop] { arrive(receiver_, packet, {hop}); });
    });
  }
  void arrive(Side& to, const OwnedPacket& packet, const std::vector<wire::HopTelemetry>& hops) {
    wire::Packet view = packet.view();
    view.telemetry = hops;
    to.now = now_;
    if (&to == &receiver_) {
      flows_[view.path.source_gid == gid_of(1, kGidV2Ipv4) ? 0 : 1].delivered += view.payload.length;
    }
    to.device.handle_packet(now_, view);
    for (std::size_t i = 0; i < 2; ++i) {
      while (flows_[i].from->poll(flows_[i].from->send_cq)) post(i);
    }
    speak(to);
  }

  Side receiver_, sender_a_, sender_b_;
  std::array<Flow, 2> flows_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::function<void()>> events_;
  std::uint64_t order_ = 0;
  base::TimePoint now_ = base::TimePoint::from_ns(1'000'000);
  std::map<unsigned, base::TimePoint> free_, wake_;
  base::TimePoint busy_until_;
  std::uint64_t queued_ = 0, sent_ = 0;
  base::Rng rng_{1, "red"};
};

struct Shares {
  double utilization = 0, fairness = 0;
  std::uint64_t queue_max = 0;
};

/// One flow from the beginning, the other 1 ms later; measured over the last third of 30 ms.
Shares share(CongestionControl control) {
  Bottleneck net(control);
  const base::TimePoint begin = net.now();
  net.start(0);
  net.run_until(begin + base::Duration::ms(1));
  net.start(1);
  net.run_until(begin + base::Duration::ms(20));
  const std::array<std::uint64_t, 2> before = {net.delivered(0), net.delivered(1)};
  net.queue_max = 0;
  net.run_until(begin + base::Duration::ms(30));
  const double a = static_cast<double>(net.delivered(0) - before[0]),
               b = static_cast<double>(net.delivered(1) - before[1]);
  const double line = 10e-3 * static_cast<double>(kRateMbps) * 1e6 / 8 * 1024 / (1024 + kHeaderBytes);
  return {(a + b) / line, (a + b) * (a + b) / (2 * (a * a + b * b)), net.queue_max};
}

}  // namespace

TEST_CASE("congestion: two flows share a bottleneck fairly and keep it busy", "[rxe][congestion]") {
  for (const auto control :
       {CongestionControl::kDcqcn, CongestionControl::kHpcc, CongestionControl::kSwift, CongestionControl::kWindow}) {
    const Shares shares = share(control);
    INFO("strategy " << static_cast<int>(control) << ": utilisation " << shares.utilization << ", fairness "
                     << shares.fairness << ", queue " << shares.queue_max);
    CHECK(shares.utilization > 0.85);
    // Two paced flows on a perfect clock keep their phase, and with it a bias in what HPCC's flows see of the queue.
    CHECK(shares.fairness > (control == CongestionControl::kHpcc ? 0.8 : 0.93));
    if (control == CongestionControl::kHpcc) CHECK(shares.queue_max < 60'000);  // less than a round trip's bytes
  }
}

TEST_CASE("congestion: with TIMELY, whose fixed points are many, neither flow starves", "[rxe][congestion]") {
  const Shares shares = share(CongestionControl::kTimely);
  INFO("utilisation " << shares.utilization << ", fairness " << shares.fairness << ", queue " << shares.queue_max);
  CHECK(shares.utilization > 0.8);
  CHECK(shares.fairness > 0.6);
}

namespace {

struct Echo {
  PairOptions options;
  Echo() {
    options.wire_exact = false;
    options.a.ack_policy = options.b.ack_policy = rxe::AckPolicy::kEveryPacket;
  }
};

}  // namespace

TEST_CASE("echo: a marked packet comes back as BECN in its ACK and cuts the rate, without a CNP", "[rxe][congestion]") {
  Echo echo;
  echo.options.a.congestion_control = echo.options.b.congestion_control = CongestionControl::kDcqcn;
  echo.options.a.ecn_echo = echo.options.b.ecn_echo = true;
  Pair pair(echo.options);
  Connection c(pair);
  pair.a_to_b.faults.ecn = 1000;
  REQUIRE(c.a.post(Work::write(1, c.b.remote(0)).with(c.a.sge(0, 8192))));
  settle(pair);
  expect_sent(c.a, 1);
  CHECK(pair.count_sent('b', wire::Opcode::kCnp) == 0);
  CHECK(std::count_if(pair.sent.begin(), pair.sent.end(),
                      [](const Recorded& r) { return r.from == 'b' && r.packet.header().bth.becn; }) > 0);
  CHECK(pair.b.device.counters().ecn_marked_rcvd == 8);
}

TEST_CASE("echo: with one port a packet, ACKs go with the port of the packet that they answer", "[rxe][entropy]") {
  for (const auto entropy : {rxe::Entropy::kRandom, rxe::Entropy::kRecycled}) {
    Echo echo;
    echo.options.a.entropy = echo.options.b.entropy = entropy;
    Pair pair(echo.options);
    Connection c(pair);
    REQUIRE(c.a.post(Work::write(1, c.b.remote(0)).with(c.a.sge(0, 32'768))));
    settle(pair);
    expect_sent(c.a, 1);
    std::set<std::uint16_t> sent, answered;
    for (const Recorded& record : pair.sent) {
      (record.from == 'a' ? sent : answered).insert(record.packet.header().path.udp_source_port);
    }
    CHECK(sent.size() > 8);
    CHECK(std::includes(sent.begin(), sent.end(), answered.begin(), answered.end()));
  }
}

TEST_CASE("pause: a paused priority keeps its place and speaks when it may again; timeouts go on", "[rxe][transmit]") {
  PairOptions options;
  Pair pair(options);
  Connection low(pair), high(pair);
  rxe::QpAttr attr = high.a.rtr_attr(2, high.b.qpn, high.b.options.psn);
  REQUIRE(high.a.to_state(rxe::QpState::kReset));
  REQUIRE(high.a.to_init());
  attr.av.service_level = 3;
  REQUIRE(high.a.modify(attr, high.a.rtr_mask()));
  REQUIRE(high.a.to_rts());
  pair.a.device.set_paused(1u << 3);
  REQUIRE(high.a.post(Work::write(1, high.b.remote(0)).with(high.a.sge(0, 100))));
  REQUIRE(low.a.post(Work::write(2, low.b.remote(0)).with(low.a.sge(0, 100))));
  settle(pair);
  expect_sent(low.a, 2);
  CHECK_FALSE(high.a.poll(high.a.send_cq).has_value());
  CHECK_FALSE(pair.a.device.has_transmit());
  pair.a.device.set_paused(1);
  CHECK(pair.a.device.has_transmit());
  settle(pair);
  expect_sent(high.a, 1);
  for (const Recorded& record : pair.sent) {
    if (record.from != 'a') continue;
    CHECK(record.packet.header().path.priority == (record.packet.header().bth.destination_qpn == high.b.qpn ? 3 : 0));
  }
}

TEST_CASE("pause: ACKs and CNPs in a priority of their own pass paused data", "[rxe][transmit]") {
  PairOptions options;
  options.b.control_priority = 6;
  Pair pair(options);
  Connection c(pair);
  pair.b.device.set_paused(1);
  REQUIRE(c.a.post(Work::write(1, c.b.remote(0)).with(c.a.sge(0, 3000))));
  REQUIRE(c.b.post(Work::write(2, c.a.remote(0)).with(c.b.sge(0, 3000))));
  settle(pair);
  expect_sent(c.a, 1);
  CHECK_FALSE(c.b.poll(c.b.send_cq).has_value());
  pair.b.device.set_paused(1u << 6);
  REQUIRE(c.a.post(Work::read(3, c.b.remote(0)).with(c.a.sge(0, 3000))));
  settle(pair);
  expect_sent(c.b, 2);
  expect_sent(c.a, 3);
  for (const Recorded& record : pair.sent) {
    if (record.from != 'b') continue;
    const bool control = record.packet.header().bth.opcode == wire::Opcode::kRcAcknowledge;
    CHECK(record.packet.header().path.priority == (control ? 6 : 0));
  }
}

}  // namespace rocelab::test
