// FaultPort: the seed alone decides, each fault does what it says, and nothing is lost that was not meant to be.
#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "net/fault_port.h"
#include "net/loopback_port.h"
#include "tests/net/frames.h"
#include "tests/support/catch.h"

namespace rocelab::net {

namespace {

constexpr std::size_t kBytes = 64;

/// Sends `count` frames through a FaultPort and returns what comes out, as bytes.
struct Run {
  std::vector<std::vector<std::byte>> frames;
  FaultCounters faults;
};

Run run(const FaultOptions& options, std::uint64_t count, std::string_view stream = "test") {
  FaultPort port(std::make_unique<LoopbackPort>(64), options, stream);
  Run result;
  const auto drain = [&] {
    std::array<Frame, kBurstMax> burst;
    while (const std::size_t n = port.rx_burst(burst)) {
      for (std::size_t i = 0; i < n; ++i) result.frames.emplace_back(burst[i].begin(), burst[i].end());
      port.rx_release();
    }
  };
  for (std::uint64_t i = 0; i < count; ++i) {
    REQUIRE(send_frame(port, kBytes, i));
    port.tx_flush();
    drain();
  }
  for (unsigned i = 0; port.tx_waiting() && i < 2 * FaultPort::kIdleBurstsMax; ++i) drain();
  drain();
  result.faults = port.faults();
  return result;
}

bool is(const std::vector<std::byte>& frame, std::uint64_t number) { return frame_is(frame, kBytes, number); }

}  // namespace

TEST_CASE("faults: without chances every frame passes, unchanged and in order", "[net][faults]") {
  const Run clean = run({}, 500);
  REQUIRE(clean.frames.size() == 500);
  for (std::uint64_t i = 0; i < 500; ++i) CHECK(is(clean.frames[i], i));
}

TEST_CASE("faults: the same seed does the same, another seed or stream does not", "[net][faults]") {
  FaultOptions options{.seed = 7,
                       .loss_ppm = 50'000,
                       .corrupt_ppm = 50'000,
                       .duplicate_ppm = 50'000,
                       .reorder_ppm = 50'000,
                       .delay_ppm = 50'000,
                       .delay_frames = 5};
  const Run first = run(options, 2000);
  CHECK(first.frames == run(options, 2000).frames);
  CHECK(first.frames != run(options, 2000, "other").frames);
  options.seed = 8;
  CHECK(first.frames != run(options, 2000).frames);
}

TEST_CASE("faults: loss takes about its share and touches nothing else", "[net][faults]") {
  const Run lossy = run({.seed = 1, .loss_ppm = 100'000}, 5000);
  CHECK(lossy.faults.lost > 350);
  CHECK(lossy.faults.lost < 650);
  CHECK(lossy.frames.size() + lossy.faults.lost == 5000);
  std::uint64_t number = 0;
  for (const auto& frame : lossy.frames) {
    while (number < 5000 && !is(frame, number)) ++number;
    REQUIRE(number++ < 5000);
  }
}

TEST_CASE("faults: a corrupted frame differs in one bit", "[net][faults]") {
  const Run run_all = run({.seed = 2, .corrupt_ppm = 1'000'000}, 200);
  REQUIRE(run_all.frames.size() == 200);
  for (std::uint64_t n = 0; n < 200; ++n) {
    int bits = 0;
    for (std::size_t i = 0; i < kBytes; ++i) {
      bits += __builtin_popcount(std::to_integer<unsigned>(run_all.frames[n][i] ^ frame_byte(n, i)));
    }
    CHECK(bits == 1);
  }
}

TEST_CASE("faults: duplicates follow at once", "[net][faults]") {
  const Run twice = run({.seed = 3, .duplicate_ppm = 1'000'000}, 100);
  REQUIRE(twice.frames.size() == 200);
  for (std::uint64_t i = 0; i < 200; ++i) CHECK(is(twice.frames[i], i / 2));
}

TEST_CASE("faults: reordering and delay lose nothing, and a held last frame leaves in the end", "[net][faults]") {
  for (const FaultOptions& options : {FaultOptions{.seed = 4, .reorder_ppm = 300'000},
                                      FaultOptions{.seed = 5, .delay_ppm = 300'000, .delay_frames = 9},
                                      FaultOptions{.seed = 6, .delay_ppm = 1'000'000, .delay_frames = 64}}) {
    const Run mixed = run(options, 1000);
    REQUIRE(mixed.frames.size() == 1000);
    CHECK(mixed.faults.squeezed_out == 0);
    std::vector<bool> seen(1000);
    std::uint64_t moved = 0;
    for (std::uint64_t place = 0; place < 1000; ++place) {
      std::uint64_t number = 0;
      while (number < 1000 && (seen[number] || !is(mixed.frames[place], number))) ++number;
      REQUIRE(number < 1000);
      seen[number] = true;
      if (number != place) ++moved;
    }
    if (options.seed != 6) CHECK(moved > 100);
  }
}

TEST_CASE("faults: the variable's text is read, and what is wrong with it is said", "[net][faults]") {
  const auto options = parse_faults("seed=9,loss=1,corrupt=2,duplicate=3,reorder=4,delay=5,delay_frames=6");
  REQUIRE(options.has_value());
  CHECK(*options == FaultOptions{9, 1, 2, 3, 4, 5, 6});
  CHECK(parse_faults("") == FaultOptions{});
  CHECK(parse_faults("loss=1000001").error() == "faults: loss=\"1000001\": expected a number from 0 to 1000000");
  CHECK(parse_faults("delay_frames=0").error() == "faults: delay_frames=\"0\": expected a number from 1 to 64");
  CHECK(parse_faults("loss=5%").error() == "faults: loss=\"5%\": expected a number from 0 to 1000000");
  CHECK(parse_faults("seed").error() == "faults: seed=\"\": expected a number from 0 to 18446744073709551615");
  CHECK(parse_faults("lost=1").error().find("\"lost=1\": expected seed, loss") != std::string::npos);
}

}  // namespace rocelab::net
