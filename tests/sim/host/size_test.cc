// What idle hosts, engines and connections take: thousands of them must fit.
#include <malloc.h>

#include <memory>
#include <vector>

#include "sim/host/host.h"
#include "sim/host/host_stack.h"
#include "tests/sim/host/two_hosts.h"
#include "tests/support/catch.h"

namespace rocelab::test {

namespace {

constexpr std::size_t kHosts = 256, kConnections = 2'000;

std::size_t heap_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

}  // namespace

TEST_CASE("size: an idle host is small, with and without an engine", "[sim][host]") {
  sim::HostOptions options{};
  options.seed = 1;
  sim::PacketPools pools;
  std::vector<std::unique_ptr<sim::Host>> hosts;
  hosts.reserve(kHosts);
  const std::size_t before = heap_bytes();
  for (std::uint32_t i = 0; i < kHosts; ++i) {
    hosts.push_back(std::make_unique<sim::Host>(options, pools, i, "host" + std::to_string(i)));
    sim::PortOptions port;
    port.node = i;
    port.rate_bps = 100'000'000'000;
    hosts.back()->port().attach(port);
  }
  const std::size_t bare = heap_bytes();
  CHECK((bare - before) / kHosts < 1'024);
  for (const auto& host : hosts) host->stack();
  const std::size_t engines = heap_bytes();
  INFO("host " << (bare - before) / kHosts << " bytes, engine " << (engines - bare) / kHosts);
  CHECK((engines - bare) / kHosts < 16 * 1024);
}

TEST_CASE("size: an idle connection takes at most 2 KiB a side", "[sim][host]") {
  sim::HostOptions options{};
  options.seed = 1;
  TwoHosts net(options);
  Recorder recorder;
  const sim::ConnectionOptions connection;
  net.a().set_user(&recorder);
  std::vector<sim::ConnectionId> ids;
  recorder.posts.reserve(kConnections + 1);
  recorder.lines.reserve(kConnections + 1);
  for (std::size_t i = 0; i < kConnections; ++i) {
    ids.push_back(sim::connect(net.a(), net.b(), connection, &recorder, nullptr).first);
  }
  recorder.plan(net.simulation, 0, TimePoint(), {ids[0], 100});
  net.run();
  const std::size_t before = heap_bytes();
  // One small message each, one after the other: the queue pairs have been used and are idle again.
  for (std::size_t i = 1; i < kConnections; ++i) {
    recorder.plan(net.simulation, 0, TimePoint::from_ns(10'000 + 5'000 * i), {ids[i], 100});
  }
  net.run();
  CHECK(recorder.lines.size() == kConnections);
  const std::size_t each = (heap_bytes() - before) / (2 * kConnections);
  INFO(each << " bytes");
  CHECK(each <= 2 * 1024);
}

}  // namespace rocelab::test
