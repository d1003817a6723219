// The three payload modes take the same time, with losses and with congestion control; real bytes arrive as they were
// sent; captures hold every frame.
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>

#include "net/capture_reader.h"
#include "net/frame_codec.h"
#include "sim/host/host_stack.h"
#include "sim/workload/run/network.h"
#include "tests/sim/host/two_hosts.h"
#include "tests/support/catch.h"

namespace rocelab::test {

namespace {

using Kind = Recorder::Kind;

sim::HostOptions host_options(sim::PayloadMode mode, const char* profile) {
  sim::HostOptions options{};
  options.seed = 7;
  options.payload = mode;
  options.profile = *sim::find_host_profile(profile);
  return options;
}

/// Loses some packets of both directions.
void disturb(TwoHosts& net) {
  for (std::uint32_t i = 0; i < 2; ++i) {
    sim::LinkEffectsOptions effects;
    effects.loss_numerator = 1;
    effects.loss_denominator = 40;
    net.hosts[i]->port().set_effects(
        std::make_unique<sim::LinkEffects>(effects, base::Rng(net.options.seed, "link" + std::to_string(i))),
        net.pools);
  }
}

/// Messages of all kinds on several connections.
std::vector<Recorder::Line> mixed_traffic(TwoHosts& net, std::uint8_t gid_index) {
  Recorder recorder;
  sim::ConnectionOptions options;
  options.receive_depth = 8;
  options.rd_atomic = 4;
  options.timeout = 5;
  options.gid_index = gid_index;
  options.message_bytes_max = 100'000;
  net.a().set_user(&recorder);
  net.b().set_user(&recorder);
  for (unsigned i = 0; i < 6; ++i) {
    const auto [at_a, at_b] = sim::connect(net.a(), net.b(), options, &recorder, &recorder);
    for (unsigned n = 0; n < 8; ++n) {
      const std::array kinds{Kind::kWrite, Kind::kNotify, Kind::kSend, Kind::kRead};
      const bool from_a = (i + n) % 3 != 0;
      recorder.plan(net.simulation, from_a ? 0 : 1, TimePoint::from_ns(500 * n + 37 * i),
                    {from_a ? at_a : at_b, 1 + (i * 7919 + n * 104'729) % 60'000, kinds[(i + n) % kinds.size()]});
    }
  }
  net.run();
  CHECK(recorder.lines.size() > 6 * 8);
  CHECK(sim::check_hosts(net.hosts) == std::vector<std::string>());
  CHECK(net.pools.in_use() == 0);
  return recorder.lines;
}

}  // namespace

TEST_CASE("payload: elided, real and wire-exact take the same time to the picosecond, with losses", "[sim][host]") {
  for (const char* profile : {"ideal", "connectx", "soft"}) {
    for (const std::uint8_t gid_index : {std::uint8_t{0}, std::uint8_t{1}}) {
      std::vector<std::vector<Recorder::Line>> runs;
      for (const auto mode : {sim::PayloadMode::kElided, sim::PayloadMode::kReal, sim::PayloadMode::kWireExact}) {
        TwoHosts net(host_options(mode, profile));
        disturb(net);
        runs.push_back(mixed_traffic(net, gid_index));
        CHECK(net.a().counters().rx_bad_frames == 0);
      }
      INFO(profile << ", GID index " << int{gid_index});
      CHECK(runs[0] == runs[1]);
      CHECK(runs[0] == runs[2]);
    }
  }
}

TEST_CASE("payload: a byte that is wrong in the receiver's memory is noticed", "[sim][host]") {
  TwoHosts net(host_options(sim::PayloadMode::kReal, "ideal"));
  Recorder recorder;
  sim::ConnectionOptions options;
  options.message_bytes_max = 5'000;
  const auto [ab, ba] = sim::connect(net.a(), net.b(), options, &recorder, nullptr);
  net.a().set_user(&recorder);
  recorder.plan(net.simulation, 0, TimePoint(), {ab, 5'000});
  net.run();
  CHECK(sim::check_hosts(net.hosts).empty());
  std::byte* memory = net.b().stack().arena(net.b().connections().at(ba).sink_arena);
  REQUIRE(memory != nullptr);
  memory[4'321] ^= std::byte{1};
  const auto wrong = sim::check_hosts(net.hosts);
  REQUIRE(wrong.size() == 1);
  CHECK(wrong[0] == "host0 to host1: wrong bytes were delivered");
}

TEST_CASE("payload: messages longer than there is memory for are refused", "[sim][host]") {
  for (const auto mode : {sim::PayloadMode::kElided, sim::PayloadMode::kReal}) {
    TwoHosts net(host_options(mode, "ideal"));
    Recorder recorder;
    sim::ConnectionOptions options;
    options.message_bytes_max = 1'000;
    const auto [ab, ba] = sim::connect(net.a(), net.b(), options, &recorder, nullptr);
    net.a().set_user(&recorder);
    recorder.plan(net.simulation, 0, TimePoint(), {ab, 1'001});
    net.run();
    REQUIRE(recorder.lines.size() == 1);
    const bool refused = recorder.lines[0].text.find("refused") != std::string::npos;
    CHECK(refused == (mode == sim::PayloadMode::kReal));
  }
}

TEST_CASE("payload: a capture a host holds every frame, each with a good ICRC", "[sim][host]") {
  const auto folder = std::filesystem::temp_directory_path() / ("rocelab-sim-capture-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const std::string pattern = folder / "%h.pcapng";
  std::array<std::uint64_t, 2> expected{};
  {
    auto options = host_options(sim::PayloadMode::kWireExact, "ideal");
    options.capture_path = pattern;
    TwoHosts net(options);
    mixed_traffic(net, 0);
    for (unsigned i = 0; i < 2; ++i) {
      expected[i] = net.hosts[i]->counters().tx_packets + net.hosts[i]->counters().rx_packets;
    }
  }
  for (unsigned i = 0; i < 2; ++i) {
    auto reader = net::CaptureReader::open(folder / ("host" + std::to_string(i) + ".pcapng"));
    REQUIRE(reader.has_value());
    net::CapturedFrame frame;
    std::uint64_t frames = 0, bad = 0;
    while (reader->next(frame).value_or(false)) {
      wire::Packet packet;
      ++frames;
      if (!net::decode_frame(frame.bytes, packet)) ++bad;
    }
    CHECK(frames == expected[i]);
    CHECK(bad == 0);
  }
  std::filesystem::remove_all(folder);
}

TEST_CASE("payload: the modes agree in a fabric with marks and DCQCN too", "[sim][host]") {
  std::vector<std::vector<Recorder::Line>> runs;
  std::uint64_t marked = 0;
  for (const char* mode : {"elided", "real", "wire_exact"}) {
    auto scenario = sim::parse_scenario(
        "[topology]\nkind = \"leaf_spine\"\nleaves = 2\nspines = 2\nhosts_per_leaf = 4\n"
        "[host]\npayload = \"" +
            std::string(mode) +
            "\"\nprofile = \"ideal\"\n"
            "[transport]\ncongestion = \"dcqcn\"\n"
            "[[workload]]\nkind = \"incast\"\ndestinations = [\"host0\"]\nbytes = \"1KB\"\n",
        "modes.toml", {});
    REQUIRE(scenario.has_value());
    auto network = sim::Network::make(**scenario, 1);
    REQUIRE(network.has_value());
    const auto hosts = (*network)->hosts();
    Recorder recorder;
    sim::ConnectionOptions options;
    options.priority = (*scenario)->transport.priority;
    options.message_bytes_max = 300'000;
    for (std::uint32_t i = 1; i < hosts.size(); ++i) {
      const auto [there, back] = sim::connect(*hosts[i], *hosts[0], options, &recorder, nullptr);
      hosts[i]->set_user(&recorder);
      recorder.plan((*network)->simulation(), i, TimePoint::from_ns(100 * i), {there, 300'000});
    }
    (*network)->simulation().run(TimePoint::from_ps(1'000'000'000'000), {});
    marked = hosts[0]->engine()->counters().ecn_marked_rcvd;
    CHECK(sim::check_hosts(hosts) == std::vector<std::string>());
    runs.push_back(recorder.lines);
  }
  CHECK(marked > 0);
  CHECK(runs[0].size() == 7);
  CHECK(runs[0] == runs[1]);
  CHECK(runs[0] == runs[2]);
}

}  // namespace rocelab::test
