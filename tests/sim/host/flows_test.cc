// Flows between two hosts: closed forms for times, completions, the payload modes, connections that come and go.
#include "tests/sim/host/two_hosts.h"
#include "tests/support/catch.h"

namespace rocelab::test {

namespace {

constexpr std::uint64_t kPsPerByte = 80;                  // at 100 Gb/s
constexpr std::uint64_t kGap = 24;                        // preamble, FCS, gap
constexpr std::uint64_t kHeaders = 14 + 20 + 8 + 12 + 4;  // Ethernet, IPv4, UDP, BTH, ICRC
constexpr std::uint64_t kAckBytes = kHeaders + 4 + kGap;
constexpr std::uint64_t kDelayPs = 1'000'000;

sim::HostOptions ideal() {
  sim::HostOptions options{};
  options.seed = 1;
  options.profile = *sim::find_host_profile("ideal");
  return options;
}

}  // namespace

TEST_CASE("host: a WRITE of one packet takes its bytes, the way there and the ACK's way back", "[sim][host]") {
  TwoHosts net(ideal());
  Recorder recorder;
  const sim::ConnectionOptions options;
  const auto [ab, ba] = sim::connect(net.a(), net.b(), options, &recorder, nullptr);
  net.a().set_user(&recorder);
  recorder.plan(net.simulation, 0, TimePoint::from_ps(500), {ab, 1000});
  net.run();
  const std::uint64_t data = (1000 + 16 + kHeaders + kGap) * kPsPerByte;
  CHECK(recorder.when("host0 done 0 status 0") == 500 + data + kDelayPs + kAckBytes * kPsPerByte + kDelayPs);
  CHECK(sim::check_hosts(net.hosts).empty());
  CHECK(net.pools.in_use() == 0);
  CHECK(net.a().counters().acked_bytes == 1000);
  CHECK(net.b().counters().rx_payload == 1000);
}

TEST_CASE("host: a long WRITE goes at line rate", "[sim][host]") {
  TwoHosts net(ideal());
  Recorder recorder;
  const sim::ConnectionOptions options;
  const auto [ab, ba] = sim::connect(net.a(), net.b(), options, &recorder, nullptr);
  net.a().set_user(&recorder);
  constexpr std::uint64_t kPackets = 400;
  recorder.plan(net.simulation, 0, TimePoint(), {ab, kPackets * 1024});
  net.run();
  const std::uint64_t data = (kPackets * (1024 + kHeaders + kGap) + 16) * kPsPerByte;
  CHECK(recorder.when("host0 done 0 status 0") == data + 2 * kDelayPs + kAckBytes * kPsPerByte);
  CHECK(sim::check_hosts(net.hosts).empty());
}

}  // namespace rocelab::test
