// Shares of the round robin, strictness, and what a class that was away may claim.
#include "qos/ets_scheduler.h"

#include <array>
#include <cstdint>

#include "base/rng.h"
#include "tests/support/catch.h"

namespace rocelab::qos {
namespace {

using Bytes = std::array<std::uint64_t, kClasses>;

/// What each class sends in `frames` picks when all of `ready` are always backlogged with frames of their size.
Bytes serve(EtsScheduler& scheduler, const EtsConfig& config, std::uint8_t ready,
            const std::array<std::uint32_t, kClasses>& frame_bytes, unsigned frames) {
  Bytes sent{};
  for (unsigned i = 0; i < frames; ++i) {
    const unsigned cls = scheduler.pick(config, ready, [&](unsigned c) { return frame_bytes[c]; });
    REQUIRE((ready >> cls & 1) != 0);
    sent[cls] += frame_bytes[cls];
  }
  return sent;
}

TEST_CASE("ets: strict classes go first, the highest of them before all", "[qos][ets]") {
  const EtsConfig config = EtsConfig::make(0b1100'0000, {1, 1, 1, 1, 1, 1, 1, 1});
  EtsScheduler scheduler;
  const auto head = [](unsigned) { return 1000u; };
  CHECK(scheduler.pick(config, 0b1100'0011, head) == 7);
  CHECK(scheduler.pick(config, 0b0100'0011, head) == 6);
  CHECK(scheduler.pick(config, 0b0000'0010, head) == 1);
}

TEST_CASE("ets: backlogged classes share by weight, whatever the size of their frames", "[qos][ets]") {
  const std::array<std::uint32_t, kClasses> weights = {1, 2, 3, 10, 1, 1, 1, 1};
  const EtsConfig config = EtsConfig::make(0, weights);
  EtsScheduler scheduler;
  const std::array<std::uint32_t, kClasses> sizes = {64, 1518, 4200, 1000, 9216, 64, 64, 64};
  const std::uint8_t ready = 0b0001'1111;
  const Bytes sent = serve(scheduler, config, ready, sizes, 400'000);
  std::uint64_t all = 0;
  for (unsigned i = 0; i < 5; ++i) all += sent[i];
  for (unsigned i = 0; i < 5; ++i) {
    // Within half a percent of 1/17, 2/17, 3/17, 10/17, 1/17.
    const std::uint64_t due = all * weights[i] / 17;
    CHECK(sent[i] + due / 200 >= due);
    CHECK(sent[i] <= due + due / 200);
  }
}

TEST_CASE("ets: over any stretch no class is further from its share than a quantum and a frame", "[qos][ets]") {
  const EtsConfig config = EtsConfig::make(0, {1, 1, 4, 1, 1, 1, 1, 1});
  EtsScheduler scheduler;
  base::Rng rng(1, "ets");
  std::array<std::uint32_t, kClasses> heads{};
  for (auto& bytes : heads) bytes = 64 + static_cast<std::uint32_t>(rng.below(4000));
  std::array<std::int64_t, kClasses> sent{};
  for (unsigned i = 0; i < 100'000; ++i) {
    const unsigned cls = scheduler.pick(config, 0b111, [&](unsigned c) { return heads[c]; });
    sent[cls] += heads[cls];
    heads[cls] = 64 + static_cast<std::uint32_t>(rng.below(4000));
    const std::int64_t slack = 2 * (4 * 2048 + 4096);
    REQUIRE(std::abs(sent[0] - sent[1]) <= slack);
    REQUIRE(std::abs(sent[2] - 4 * sent[0]) <= 4 * slack);
  }
}

TEST_CASE("ets: a class that was empty claims nothing for that time", "[qos][ets]") {
  const EtsConfig config = EtsConfig::make(0, {1, 1, 1, 1, 1, 1, 1, 1});
  EtsScheduler scheduler;
  const std::array<std::uint32_t, kClasses> sizes = {1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000};
  serve(scheduler, config, 0b01, sizes, 10'000);
  scheduler.on_empty(1);
  const Bytes sent = serve(scheduler, config, 0b11, sizes, 100);
  CHECK(sent[0] >= 48'000);
  CHECK(sent[1] >= 48'000);
}

TEST_CASE("ets: a frame larger than the quantum is sent after enough rounds", "[qos][ets]") {
  const EtsConfig config = EtsConfig::make(0, {1, 1, 1, 1, 1, 1, 1, 1});
  EtsScheduler scheduler;
  const std::array<std::uint32_t, kClasses> sizes = {64, 60'000, 64, 64, 64, 64, 64, 64};
  const Bytes sent = serve(scheduler, config, 0b11, sizes, 20'000);
  CHECK(sent[1] >= sent[0] - 70'000);
  CHECK(sent[1] <= sent[0] + 70'000);
}

}  // namespace
}  // namespace rocelab::qos
