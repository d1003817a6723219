// What a host of the simulator costs for a data packet, both ends and the acknowledgement included: two hosts back to
// back, one long WRITE after another with elided payload. Kernel, ports and engines are in the figure, switches are
// not.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "sim/host/host.h"
#include "sim/kernel/simulation.h"

namespace rocelab::perf {
namespace {

constexpr std::uint64_t kRate = 100'000'000'000;
constexpr base::Duration kDelay = base::Duration::us(1);
constexpr std::uint64_t kPackets = 4'096;

constexpr unsigned kMessages = 64;

/// Posts the next message when one is done.
class Sender final : public sim::FlowOwner, public sim::HostUser {
 public:
  void on_event(sim::Host& host, sim::Context& context, std::uint16_t, std::uint64_t) override { post(host, context); }
  void on_complete(sim::Host& host, sim::Context& context, sim::ConnectionId, std::uint64_t,
                   rxe::WcStatus status) override {
    failed |= status != rxe::WcStatus::kSuccess;
    if (--left != 0) post(host, context);
  }
  unsigned left = kMessages;
  bool failed = false;

 private:
  void post(sim::Host& host, sim::Context& context) { failed |= !host.post_write(context, 0, kPackets * 1024, 0); }
};

void BM_host_packet(benchmark::State& state, rxe::AckPolicy policy, rxe::CongestionControl congestion) {
  sim::HostOptions options{};
  options.seed = 1;
  options.engine.ack_policy = policy;
  options.engine.congestion_control = congestion;
  const sim::ConnectionOptions connection;
  std::uint64_t events = 0;
  for ([[maybe_unused]] auto _ : state) {
    sim::PacketPools pools;
    sim::Simulation simulation;
    sim::Host a(options, pools, 0, "a"), b(options, pools, 1, "b");
    simulation.add(a);
    simulation.add(b);
    for (sim::Host* host : {&a, &b}) {
      sim::PortOptions port;
      port.node = host->index();
      port.peer = 1 - host->index();
      port.rate_bps = kRate;
      port.delay = kDelay;
      host->port().attach(port);
    }
    simulation.connect(0, 1, kDelay);
    Sender sender;
    a.set_user(&sender);
    sim::connect(a, b, connection, &sender, nullptr);
    simulation.schedule_initial(base::TimePoint(), 0, sim::host_event::kFirstOfUser, 0, 0);
    events += simulation.run(base::TimePoint::from_ps(sim::kNever), {}).events;
    if (sender.failed || sender.left != 0) return state.SkipWithError("a request failed");
  }
  const auto packets = static_cast<double>(state.iterations()) * static_cast<double>(kPackets * kMessages);
  state.counters["ns_per_packet"] =
      benchmark::Counter(packets, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["events_per_packet"] = static_cast<double>(events) / packets;
}
BENCHMARK_CAPTURE(BM_host_packet, coalesced_acks, rxe::AckPolicy::kCoalesced, rxe::CongestionControl::kNone);
BENCHMARK_CAPTURE(BM_host_packet, ack_per_packet, rxe::AckPolicy::kEveryPacket, rxe::CongestionControl::kNone);
BENCHMARK_CAPTURE(BM_host_packet, dcqcn, rxe::AckPolicy::kEveryPacket, rxe::CongestionControl::kDcqcn);

}  // namespace
}  // namespace rocelab::perf
