// What the engine costs a packet when a simulator drives it: two devices exchange messages of many packets with elided
// payload, one packet at a time and without frames, as hosts of a simulated fabric do. The unit is one data packet: its
// request built and handed over, copied once, executed by the responder, and (per packet or coalesced) the ACK on its
// way back and accounted. Argument: 1: an ACK for each packet; 0: ACKs as asked for by default.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "perf/cycles.h"
#include "perf/engine_pair.h"
#include "rxe/device.h"
#include "wire/gid.h"

namespace rocelab::perf {
namespace {

constexpr std::uint32_t kPacketsAMessage = 64;
constexpr std::uint32_t kMessageBytes = kPacketsAMessage * 4096;

rxe::DeviceOptions options_of(std::uint8_t number, rxe::CongestionControl control, bool every) {
  rxe::DeviceOptions options{
      .seed = number, .mac = {2, 0, 0, 0, 0, number}, .node_guid = {}, .limits = {}, .qpn_first = 0x1000u * number};
  options.congestion_control = control;
  options.ack_policy = every ? rxe::AckPolicy::kEveryPacket : rxe::AckPolicy::kCoalesced;
  return options;
}
wire::Gid gid_of(std::uint8_t number) { return wire::Gid::from_ipv4(0x0a000000u + number); }

/// A device with an elided region and one queue pair; the sink keeps the last packet.
class End final : public rxe::TxSink {
 public:
  End(std::uint8_t number, rxe::CongestionControl control, bool every)
      : device(options_of(number, control, every)), number_(number) {
    rxe::GidEntry entry;
    entry.gid = gid_of(number);
    entry.valid = true;
    const auto pd = device.alloc_pd();
    const auto queue = device.create_cq(256, nullptr);
    valid = device.set_gid(0, entry) && pd && queue;
    if (!valid) return;
    cq = *queue;
    const auto region = device.reg_mr({*pd, nullptr, 1ull << 30, 0, kAccess});
    rxe::QpInit init;
    init.pd = *pd;
    init.send_cq = init.recv_cq = cq;
    init.cap = {64, 64, 1, 1, 0};
    const auto qp = device.create_qp(init);
    valid = region && qp;
    if (!valid) return;
    key = region->lkey;
    qpn = *qp;
  }
  bool connect(const End& peer) { return connect_rc(device, qpn, gid_of(peer.number_), {}, peer.qpn, kAccess); }
  bool transmit(const wire::Packet& sent) override {
    packet = sent;
    return true;
  }

  static constexpr std::uint32_t kAccess = rxe::access::kLocalWrite | rxe::access::kRemoteWrite;
  rxe::Device device;
  rxe::CqId cq{};
  rxe::Qpn qpn = 0;
  std::uint32_t key = 0;
  bool valid = false;
  wire::Packet packet;

 private:
  std::uint8_t number_;
};

/// One message of 64 packets from a to b.
bool exchange(End& a, End& b, base::TimePoint& now) {
  const rxe::Sge sge{0, kMessageBytes, a.key};
  rxe::SendRequest request;
  request.opcode = rxe::SendOpcode::kRdmaWrite;
  request.flags = rxe::send_flag::kSignaled;
  request.sges = std::span(&sge, 1);
  request.rkey = b.key;
  if (!a.device.post_send(now, a.qpn, request)) return false;
  std::uint32_t packets = 0;
  while (a.device.poll_transmit(now, a, 1) == 1) {
    ++packets;
    now = now + base::Duration::ns(330);
    b.device.handle_packet(now, a.packet);
    if (b.device.has_transmit() && b.device.poll_transmit(now, b, 1) == 1) a.device.handle_packet(now, b.packet);
    benchmark::DoNotOptimize(a.device.next_timeout_bound());
  }
  rxe::Completion completion;
  return packets == kPacketsAMessage && a.device.poll_cq(a.cq, std::span(&completion, 1)) == 1;
}

void BM_engine_packet(benchmark::State& state, rxe::CongestionControl control) {
  const bool every = state.range(0) != 0;
  End a(1, control, every), b(2, control, every);
  if (!a.valid || !b.valid || !a.connect(b) || !b.connect(a)) return state.SkipWithError("the engines do not connect");
  base::TimePoint now = base::TimePoint::from_ns(1'000'000);
  const CountCycles cycles(state, kPacketsAMessage);
  for ([[maybe_unused]] auto _ : state) {
    if (exchange(a, b, now)) continue;
    state.SkipWithError("an exchange went wrong");
    break;
  }
  state.counters["time_a_packet"] = benchmark::Counter(static_cast<double>(state.iterations()) * kPacketsAMessage,
                                                       benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

BENCHMARK_CAPTURE(BM_engine_packet, none, rxe::CongestionControl::kNone)->Arg(1)->Arg(0);
BENCHMARK_CAPTURE(BM_engine_packet, dcqcn, rxe::CongestionControl::kDcqcn)->Arg(1)->Arg(0);

}  // namespace
}  // namespace rocelab::perf
