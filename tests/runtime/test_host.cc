// Host and LocalDevice within one process: traffic through the loopback, events, many threads, fork, what happens at
// the end. Nothing here starts DPDK, so these cases may fork and run under the thread sanitizer.
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <thread>

#include "runtime/host.h"
#include "runtime/host_counters.h"
#include "runtime/host_page.h"
#include "tests/runtime/child.h"
#include "tests/runtime/endpoint.h"
#include "tests/runtime/temporary_directory.h"
#include "tests/support/catch.h"

using namespace rocelab;
using namespace rocelab::runtime;
using rxe::Device;
using rxe::WcStatus;
using tests::Endpoint;
using tests::TemporaryDirectory;

namespace {

Config config_of(const TemporaryDirectory& where) {
  Config config;
  config.run_dir = where.path();
  return config;
}

struct Lab {
  explicit Lab(ProgressMode progress = ProgressMode::kAuto, std::uint32_t devices = 1) {
    Config config = config_of(where);
    config.progress = progress;
    config.devices = devices;
    auto made = Host::create(config);
    REQUIRE(made.has_value());
    host = std::move(*made);
  }
  LocalDevice& device(std::size_t index = 0) {
    auto opened = host->open_device(index);
    INFO((opened ? "" : opened.error()));
    REQUIRE(opened.has_value());
    return **opened;
  }
  TemporaryDirectory where;
  std::unique_ptr<Host> host;
};

struct Pair {
  explicit Pair(LocalDevice& device, const Endpoint::Options& options = {}) : a(device, options), b(device, options) {
    REQUIRE(a.connect(b.address()) == 0);
    REQUIRE(b.connect(a.address()) == 0);
  }
  Endpoint a, b;
};

/// The address sanitizer keeps freed memory for a while.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

/// Counts the events of each kind.
struct Counting final : EventHandler {
  void on_event(const rxe::Event& event) noexcept override {
    if (event.type == rxe::EventType::kCompletion) ++completions;
  }
  std::atomic<int> completions{0};
};

std::uint64_t counter(const NamedCounters& counters, const std::string& name) {
  for (const auto& [key, value] : counters) {
    if (key == name) return value;
  }
  FAIL("no counter " << name);
  return 0;
}

}  // namespace

TEST_CASE("host: before a device is opened there is no slot and no host page", "[runtime][host]") {
  Lab lab;
  CHECK(lab.host->slot() == 0);
  CHECK(lab.host->devices().size() == 1);
  struct stat status {};
  CHECK(stat(lab.where.file("host-page").c_str(), &status) != 0);
}

TEST_CASE("host: opening a device claims a slot, and the QPNs of the slot", "[runtime][host]") {
  Lab lab;
  LocalDevice& device = lab.device();
  CHECK(&lab.device() == &device);
  CHECK(lab.host->slot() == 1);
  Endpoint endpoint(device);
  CHECK(endpoint.qpn() >> 16 == 1);
}

TEST_CASE("host: two hosts of one run directory have different slots", "[runtime][host]") {
  Lab lab;
  lab.device();
  auto second = Host::create(config_of(lab.where));
  REQUIRE(second.has_value());
  REQUIRE((*second)->open_device(0).has_value());
  CHECK((*second)->slot() == 2);
  CHECK((*second)->devices()[0].mac == lab.host->devices()[0].mac);
}

TEST_CASE("host: a device that is not there is refused", "[runtime][host]") {
  Lab lab;
  CHECK_FALSE(lab.host->open_device(1).has_value());
}

TEST_CASE("host: a run directory of the wrong mode is refused at once", "[runtime][host]") {
  TemporaryDirectory where;
  chmod(where.path().c_str(), 0755);
  const auto host = Host::create(config_of(where));
  REQUIRE_FALSE(host.has_value());
  CHECK(host.error().find("lets others in") != std::string::npos);
}

TEST_CASE("host: a SEND through the loopback arrives, in every progress mode", "[runtime][host]") {
  const auto mode = GENERATE(ProgressMode::kAuto, ProgressMode::kThread, ProgressMode::kPoll);
  Lab lab(mode);
  Pair pair(lab.device());
  for (int i = 0; i < 100; ++i) {
    std::memset(pair.a.memory(), i + 1, 20'000);
    REQUIRE(pair.b.post_recv(7, 0, 65'536) == 0);
    REQUIRE(pair.a.post_send(8, 0, 20'000) == 0);
    const auto sent = pair.a.wait(), received = pair.b.wait();
    CHECK(sent.status == WcStatus::kSuccess);
    CHECK(received.status == WcStatus::kSuccess);
    CHECK(received.byte_len == 20'000);
    CHECK(std::memcmp(pair.a.memory(), pair.b.memory(), 20'000) == 0);
  }
}

TEST_CASE("host: WRITE and READ of several devices of one process", "[runtime][host]") {
  Lab lab(ProgressMode::kAuto, 3);
  Endpoint a(lab.device(0)), b(lab.device(2));
  REQUIRE(a.connect(b.address()) == 0);
  REQUIRE(b.connect(a.address()) == 0);
  CHECK(a.qpn() >> 16 == 1);
  CHECK(b.qpn() >> 16 == 1);
  std::memset(a.memory(), 0x11, 30'000);
  REQUIRE(a.post_write(1, 0, 30'000, 100) == 0);
  CHECK(a.wait().status == WcStatus::kSuccess);
  CHECK(b.memory()[99] == std::byte{0});
  CHECK(b.memory()[100] == std::byte{0x11});
  CHECK(b.memory()[30'099] == std::byte{0x11});
  REQUIRE(a.post_read(2, 40'000, 10, 100) == 0);
  CHECK(a.wait().status == WcStatus::kSuccess);
  CHECK(a.memory()[40'009] == std::byte{0x11});
}

TEST_CASE("host: RoCE v1 and v2 over each GID of the table", "[runtime][host]") {
  Lab lab;
  for (std::uint8_t index = 0; index < 4; ++index) {
    Endpoint::Options options;
    options.gid_index = index;
    Pair pair(lab.device(), options);
    pair.a.memory()[0] = std::byte{0x5a};
    REQUIRE(pair.a.post_write(1, 0, 1, 9) == 0);
    CHECK(pair.a.wait().status == WcStatus::kSuccess);
    CHECK(pair.b.memory()[9] == std::byte{0x5a});
  }
}

TEST_CASE("host: what is posted makes progress without a poll", "[runtime][host]") {
  Lab lab;
  Endpoint::Options options;
  options.bytes = 8u << 20;
  Pair pair(lab.device(), options);
  std::memset(pair.a.memory(), 0x77, options.bytes);
  REQUIRE(pair.a.post_write(1, 0, 8u << 20, 0) == 0);
  const auto* const last = reinterpret_cast<std::atomic<unsigned char>*>(pair.b.memory() + options.bytes - 1);
  while (last->load() != 0x77) sched_yield();  // as a program that waits on memory does
  CHECK(pair.a.wait().status == WcStatus::kSuccess);
}

TEST_CASE("host: an armed CQ has its event, whoever drives", "[runtime][host]") {
  const auto mode = GENERATE(ProgressMode::kAuto, ProgressMode::kThread, ProgressMode::kPoll);
  Lab lab(mode);
  Counting counting;
  LocalDevice& device = lab.device();
  device.set_event_handler(&counting);
  Pair pair(device);
  for (int i = 1; i <= 200; ++i) {
    REQUIRE(pair.b.arm() == 0);
    REQUIRE(pair.b.post_recv(1, 0, 64) == 0);
    REQUIRE(pair.a.post_send(2, 0, 64) == 0);
    while (counting.completions.load() < i) sched_yield();
    CHECK(pair.b.wait().status == WcStatus::kSuccess);
    CHECK(pair.a.wait().status == WcStatus::kSuccess);
    CHECK_FALSE(pair.b.poll().has_value());
  }
  device.set_event_handler(nullptr);
}

TEST_CASE("host: a QP of a process that is not there runs into its retries", "[runtime][host]") {
  const auto mode = GENERATE(ProgressMode::kAuto, ProgressMode::kThread);
  Lab lab(mode);
  Endpoint::Options options;
  options.timeout = 8;  // 1 ms
  options.retry_count = 3;
  Endpoint lonely(lab.device(), options);
  tests::Address nobody = lonely.address();
  nobody.qpn = 77u << 16 | 5;
  REQUIRE(lonely.connect(nobody) == 0);
  REQUIRE(lonely.post_send(1, 0, 64) == 0);
  CHECK(lonely.wait().status == WcStatus::kRetryExcErr);
}

TEST_CASE("host: a GID of nobody is unreachable, and bad indices are refused", "[runtime][host]") {
  Lab lab;
  LocalDevice& device = lab.device();
  CHECK(device.resolve(*wire::parse_gid("10.1.2.3"), 3).error().code == EHOSTUNREACH);
  CHECK(device.resolve(*wire::parse_gid("10.1.2.3"), 200).error().code == EINVAL);
  CHECK(device.resolve(*wire::parse_gid("10.1.2.3"), 100).error().code == EINVAL);
  CHECK(device.resolve(wire::Gid{}, 3).error().code == EINVAL);
  CHECK(*device.resolve(device.description().gids[0].gid, 3) == device.description().mac);
  CHECK(*device.resolve(*wire::parse_gid("224.1.2.3"), 3) == wire::MacAddress{0x01, 0, 0x5e, 1, 2, 3});
  CHECK(*device.resolve(*wire::parse_gid("ff0e::1:2"), 3) == wire::MacAddress{0x33, 0x33, 0, 1, 0, 2});
}

TEST_CASE("host: counters of the living and the ended are summed by name", "[runtime][host]") {
  TemporaryDirectory where;
  const Config config = config_of(where);
  CHECK(counter(read_counters(config)->host, "tx_frames") == 0);
  {
    auto host = Host::create(config);
    LocalDevice& device = **(*host)->open_device(0);
    Pair pair(device);
    REQUIRE(pair.a.post_write(1, 0, 64, 0) == 0);
    CHECK(pair.a.wait().status == WcStatus::kSuccess);
    const auto report = read_counters(config);
    REQUIRE(report.has_value());
    REQUIRE(report->processes.size() == 1);
    CHECK(report->processes[0].pid == static_cast<std::uint32_t>(getpid()));
  }
  const auto report = read_counters(config);
  REQUIRE(report.has_value());
  CHECK(report->processes.empty());
  CHECK(counter(report->host, "tx_frames") == 2);  // a WRITE and its ACK
  CHECK(counter(report->host, "rx_frames") == 2);
  CHECK(counter(report->host, "rx_bad_icrc") == 0);
  REQUIRE(report->devices.size() == 1);
  CHECK(counter(report->devices[0].counters, "sent_pkts") == 2);
}

TEST_CASE("host: the counters of eight devices fit on the page", "[runtime][host]") {
  CHECK(counters_size(kDevicesMax) <= kCountersMax);
  CHECK(process_counter_names().size() == kProcessCounterCount);
}

TEST_CASE("host: after retire() a device is still an object whose calls fail", "[runtime][host]") {
  Lab lab;
  LocalDevice& device = lab.device();
  Endpoint endpoint(device);
  lab.host->retire();
  CHECK_FALSE(device.usable());
  CHECK(device.with_engine([](Device& d, base::TimePoint) { return d.alloc_pd(); }).error().code == ENODEV);
  CHECK(device.req_notify_cq(endpoint.cq(), false).error().code == ENODEV);
  CHECK(endpoint.post_send(1, 0, 1) == ENODEV);
  CHECK_FALSE(endpoint.poll().has_value());
}

TEST_CASE("host: a forked child has lost the device, and may open its own", "[runtime][host][fork]") {
  Lab lab;
  LocalDevice& device = lab.device();
  Pair pair(device);
  tests::Child child([&](const tests::Pipe& pipe) {
    const bool gone = !device.usable() && !pair.a.poll() && pair.a.post_send(1, 0, 1) == ENODEV;
    lab.host.reset();
    auto own = Host::create(config_of(lab.where));
    auto opened = (*own)->open_device(0);
    bool works = opened.has_value();
    if (works) {
      Pair inner(**opened);
      works = inner.a.post_write(1, 0, 8, 0) == 0 && inner.a.wait().status == WcStatus::kSuccess;
    }
    pipe.say((gone ? "gone " : "there ") + std::string(works ? "works " : "fails ") + std::to_string((*own)->slot()));
    (*own).reset();
  });
  CHECK(child.pipe().hear() == "gone works 2");
  CHECK(child.finish() == 0);
  REQUIRE(pair.a.post_write(1, 0, 8, 0) == 0);  // the parent goes on
  CHECK(pair.a.wait().status == WcStatus::kSuccess);
}

TEST_CASE("host: 1,000 QPs of one process exchange at once", "[runtime][host]") {
  Lab lab;
  LocalDevice& device = lab.device();
  Endpoint::Options options;
  options.bytes = 16'384;
  options.depth = 8;
  std::vector<std::unique_ptr<Pair>> pairs;
  for (int i = 0; i < 500; ++i) pairs.push_back(std::make_unique<Pair>(device, options));
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    std::memset(pairs[i]->a.memory(), static_cast<int>(i % 251), 5'000);
    std::memset(pairs[i]->b.memory(), static_cast<int>(i % 241), 5'000);
    for (std::uint64_t n = 0; n < 4; ++n) {
      REQUIRE(pairs[i]->a.post_write(n, 0, 5'000, 5'000) == 0);
      REQUIRE(pairs[i]->b.post_write(n, 0, 5'000, 10'000) == 0);
    }
  }
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    for (Endpoint* end : {&pairs[i]->a, &pairs[i]->b}) {
      for (std::uint64_t n = 0; n < 4; ++n) {
        const auto done = end->wait();
        CHECK(done.status == WcStatus::kSuccess);
        CHECK(done.wr_id == n);
      }
    }
    CHECK(std::memcmp(pairs[i]->b.memory() + 5'000, pairs[i]->a.memory(), 5'000) == 0);
    CHECK(std::memcmp(pairs[i]->a.memory() + 10'000, pairs[i]->b.memory(), 5'000) == 0);
  }
}

TEST_CASE("host: 10,000 connections one after the other lose no completion and leak nothing", "[runtime][host]") {
  Lab lab;
  LocalDevice& device = lab.device();
  Endpoint::Options options;
  options.bytes = 64;
  options.depth = 4;
  const auto cycle = [&] {
    Endpoint a(device, options), b(device, options);
    if (a.connect(b.address()) != 0 || b.connect(a.address()) != 0) return false;
    if (b.post_recv(1, 0, 64) != 0 || a.post_send(2, 0, 64) != 0) return false;
    return a.wait().status == WcStatus::kSuccess && b.wait().status == WcStatus::kSuccess;
  };
  const auto resident_pages = [] {
    long size = 0, resident = 0;
    FILE* const file = std::fopen("/proc/self/statm", "r");
    if (file == nullptr || std::fscanf(file, "%ld %ld", &size, &resident) != 2) resident = -1;
    if (file != nullptr) std::fclose(file);
    return resident;
  };
  for (int i = 0; i < 1'000; ++i) REQUIRE(cycle());
  const long before = resident_pages();
  for (int i = 0; i < 9'000; ++i) REQUIRE(cycle());
  const long growth = resident_pages() - before;
  INFO(growth << " pages");
  if (!kSanitized) CHECK(growth < 256);  // 1 MiB: a leak of 128 bytes a connection would show
}
