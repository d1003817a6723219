// Hosts that stop or are slow: nothing is processed meanwhile, the receive buffer pauses the sender and loses nothing.
#include "sim/host/receive_buffer.h"
#include "tests/sim/host/two_hosts.h"
#include "tests/support/catch.h"

namespace rocelab::test {

namespace {

constexpr std::uint8_t kPriority = 3;

sim::HostOptions lossless() {
  sim::HostOptions options{};
  options.seed = 3;
  options.profile = *sim::find_host_profile("ideal");
  options.lossless_mask = 1u << kPriority;
  return options;
}

sim::ConnectionOptions on_priority() {
  sim::ConnectionOptions options;
  options.priority = kPriority;
  return options;
}

}  // namespace

TEST_CASE("faults: a halted host pauses its sender, loses nothing, and goes on where it was", "[sim][host]") {
  TwoHosts net(lossless());
  Recorder recorder;
  auto options = on_priority();
  options.timeout = 18;  // longer than the halt
  const auto [ab, ba] = sim::connect(net.a(), net.b(), options, &recorder, nullptr);
  net.a().set_user(&recorder);
  recorder.plan(net.simulation, 0, TimePoint(), {ab, 4'000'000});
  const auto from = TimePoint::from_ns(20'000), to = TimePoint::from_ns(2'020'000);
  net.simulation.schedule_initial(from, 1, sim::host_event::kHalt, 0, 1);
  net.simulation.schedule_initial(to, 1, sim::host_event::kHalt, 0, 0);
  net.run();
  const std::uint64_t done = recorder.when("host0 done 0 status 0");
  CHECK(done > to.count_ps());
  CHECK(done < to.count_ps() + 400'000'000);
  CHECK(net.b().counters().rx_buffer_full == 0);
  CHECK(net.b().engine()->counters().out_of_seq_request == 0);
  CHECK(net.b().port().counters().pause_tx > 2);  // renewed before it ran out, and ended
  CHECK(net.a().port().paused_ps(kPriority, to) > 1'900'000'000);
  CHECK(sim::check_hosts(net.hosts).empty());
  CHECK(net.pools.in_use() == 0);
}

TEST_CASE("faults: a slow receiver sets the pace, by pauses", "[sim][host]") {
  TwoHosts net(lossless());
  Recorder recorder;
  const auto options = on_priority();
  const auto [ab, ba] = sim::connect(net.a(), net.b(), options, &recorder, nullptr);
  net.a().set_user(&recorder);
  constexpr std::uint64_t kBytes = 4'000'000, kSlowBps = 10'000'000'000;
  recorder.plan(net.simulation, 0, TimePoint(), {ab, kBytes});
  net.simulation.schedule_initial(TimePoint(), 1, sim::host_event::kReceiveRate, 0, kSlowBps);
  net.run();
  const std::uint64_t done = recorder.when("host0 done 0 status 0");
  CHECK(done > kBytes * 800);
  CHECK(done < kBytes * 800 * 115 / 100);  // headers, and what was under way
  CHECK(net.b().port().counters().pause_tx > 0);
  CHECK(net.b().counters().rx_buffer_full == 0);
  CHECK(sim::check_hosts(net.hosts).empty());
}

TEST_CASE("faults: a lossy class of a slow receiver drops when its buffer is full, and recovers", "[sim][host]") {
  auto options = lossless();
  options.lossless_mask = 0;
  options.buffer_bytes = 20'000;
  TwoHosts net(options);
  Recorder recorder;
  auto connection = on_priority();
  connection.timeout = 10;
  const auto [ab, ba] = sim::connect(net.a(), net.b(), connection, &recorder, nullptr);
  net.a().set_user(&recorder);
  recorder.plan(net.simulation, 0, TimePoint(), {ab, 200'000});
  net.simulation.schedule_initial(TimePoint(), 1, sim::host_event::kReceiveRate, 0, 50'000'000'000);
  net.run();
  CHECK(recorder.when("host0 done 0 status 0") > 0);
  CHECK(net.b().counters().rx_buffer_full > 0);
  CHECK(sim::check_hosts(net.hosts).empty());
  CHECK(net.pools.in_use() == 0);
}

TEST_CASE("faults: an unreachable peer ends requests with an error, each once", "[sim][host]") {
  TwoHosts net(lossless());
  Recorder recorder;
  auto options = on_priority();
  options.timeout = 4;
  options.retry_cnt = 2;
  const auto [ab, ba] = sim::connect(net.a(), net.b(), options, &recorder, nullptr);
  net.a().set_user(&recorder);
  for (unsigned i = 0; i < 3; ++i) recorder.plan(net.simulation, 0, TimePoint::from_ns(i), {ab, 5'000});
  net.simulation.schedule_initial(TimePoint(), 1, sim::host_event::kHalt, 0, 1);
  net.run();
  CHECK(recorder.lines.size() == 3);
  CHECK(net.a().counters().failed == 3);
  CHECK(net.a().counters().completed == 3);
  CHECK(recorder.when("host0 done 0 status 12") > 0);
  CHECK(recorder.when("host0 done 2 status 5") > 0);
}

TEST_CASE("faults: single-message connections take their QPs with them", "[sim][host]") {
  TwoHosts net(lossless());
  Recorder recorder;
  auto options = on_priority();
  options.single_message = true;
  options.timeout = 8;
  net.a().set_user(&recorder);
  constexpr unsigned kFlows = 50;
  for (unsigned i = 0; i < kFlows; ++i) {
    const auto [ab, ba] = sim::connect(net.a(), net.b(), options, &recorder, nullptr);
    recorder.plan(net.simulation, 0, TimePoint::from_ns(10'000 * i), {ab, 10'000});
  }
  net.run();
  CHECK(recorder.lines.size() == kFlows);
  for (sim::ConnectionId id = 0; id < kFlows; ++id) {
    CHECK(net.a().connections().at(id).state == sim::ConnectionState::kClosed);
    CHECK(net.b().connections().at(id).state == sim::ConnectionState::kClosed);
    CHECK_FALSE(net.b().engine()->query_qp(sim::ConnectionTable::qpn_of(id)).has_value());
  }
}

}  // namespace rocelab::test
