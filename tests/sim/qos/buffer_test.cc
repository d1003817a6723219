// The books of the shared buffer: thresholds by hand, and against a slow model over random traffic.
#include <vector>

#include "base/rng.h"
#include "qos/pfc_headroom.h"
#include "qos/shared_buffer.h"
#include "tests/support/catch.h"

namespace rocelab::qos {
namespace {

TEST_CASE("buffer: n lossy senders settle at alpha/(1 + n alpha) of the pool each", "[qos][buffer]") {
  // Choudhury and Hahne: with alpha 1 and one full group half of the pool stays free, with three a quarter.
  for (const unsigned groups : {1u, 3u, 7u}) {
    SharedBuffer buffer(1'000'000);
    const BufferGroupLimits limits{0, 100'000, 0, kAlphaOne};
    std::vector<BufferGroup> group(groups);
    bool grew = true;
    while (grew) {
      grew = false;
      for (BufferGroup& one : group) {
        if (buffer.wants_xoff(one, limits)) continue;
        buffer.charge_lossless(one, limits, 100);
        grew = true;
      }
    }
    const std::uint64_t due = 1'000'000 / (1 + groups);
    for (const BufferGroup& one : group) {
      CHECK(one.bytes + 200 >= due);
      CHECK(one.bytes <= due + 200);
    }
  }
}

TEST_CASE("buffer: reserve first, then the pool, then headroom, and back in the other order", "[qos][buffer]") {
  SharedBuffer buffer(10'000);
  const BufferGroupLimits limits{2'000, 3'000, 1'000, kAlphaOne / 2};
  BufferGroup group;
  buffer.charge_lossless(group, limits, 2'000);
  CHECK(buffer.used_bytes() == 0);
  CHECK_FALSE(buffer.wants_xoff(group, limits));
  buffer.charge_lossless(group, limits, 3'000);  // half of 10,000 is free for it: below
  CHECK(buffer.used_bytes() == 3'000);
  CHECK(buffer.threshold(limits.alpha) == 3'500);
  CHECK_FALSE(buffer.wants_xoff(group, limits));
  CHECK(buffer.admits_lossless(group, limits, 1'000));
  buffer.charge_lossless(group, limits, 1'000);  // 4,000 would be above 3,500: headroom
  CHECK(group.headroom_bytes == 1'000);
  CHECK(buffer.used_bytes() == 3'000);
  CHECK(buffer.wants_xoff(group, limits));
  CHECK(buffer.admits_lossless(group, limits, 2'000));
  CHECK_FALSE(buffer.admits_lossless(group, limits, 2'001));
  buffer.release(group, limits, 1'500);  // headroom, and 500 of the pool
  CHECK(group.headroom_bytes == 0);
  CHECK(buffer.used_bytes() == 2'500);
  CHECK(buffer.wants_xon(group, limits));  // 2,500 + 1,000 <= 3,750
  buffer.release(group, limits, 4'500);
  CHECK(buffer.used_bytes() == 0);
  CHECK(group.bytes == 0);
}

TEST_CASE("buffer: the offset keeps XON below XOFF", "[qos][buffer]") {
  SharedBuffer buffer(10'000);
  const BufferGroupLimits limits{0, 1'000, 2'000, kAlphaOne};
  BufferGroup group;
  while (!buffer.wants_xoff(group, limits)) buffer.charge_lossless(group, limits, 100);
  CHECK(group.bytes == 5'000);
  CHECK_FALSE(buffer.wants_xon(group, limits));
  unsigned released = 0;
  while (!buffer.wants_xon(group, limits)) {
    buffer.release(group, limits, 100);
    released += 100;
  }
  CHECK(released == 1'000);  // 4,000 + 2,000 <= 6,000
}

TEST_CASE("buffer: after any traffic nothing is charged any more", "[qos][buffer]") {
  base::Rng rng(11, "buffer");
  SharedBuffer buffer(200'000);
  const BufferGroupLimits limits{4'096, 20'000, 3'072, kAlphaOne / 4};
  std::vector<BufferGroup> groups(8);
  std::vector<std::pair<unsigned, std::uint32_t>> inside;
  for (unsigned i = 0; i < 200'000; ++i) {
    const bool add = rng.chance(1, 2);
    if (add) {
      const auto which = static_cast<unsigned>(rng.below(8));
      const auto bytes = static_cast<std::uint32_t>(64 + rng.below(4000));
      BufferGroup& group = groups[which];
      const bool lossless = which < 4;
      if (lossless ? !buffer.admits_lossless(group, limits, bytes) : !buffer.admits_lossy(group, limits, bytes)) {
        continue;
      }
      if (lossless) {
        buffer.charge_lossless(group, limits, bytes);
      } else {
        buffer.charge_lossy(group, limits, bytes);
      }
      REQUIRE(group.headroom_bytes <= limits.headroom_bytes);
      inside.emplace_back(which, bytes);
    } else if (!inside.empty()) {
      const std::size_t at = rng.below(inside.size());
      buffer.release(groups[inside[at].first], limits, inside[at].second);
      inside[at] = inside.back();
      inside.pop_back();
    }
    std::uint64_t used = 0;
    for (const BufferGroup& group : groups) used += SharedBuffer::shared_part(group, limits);
    REQUIRE(used == buffer.used_bytes());
    REQUIRE(used <= buffer.pool_bytes());
  }
  for (const auto& [which, bytes] : inside) buffer.release(groups[which], limits, bytes);
  CHECK(buffer.used_bytes() == 0);
  for (const BufferGroup& group : groups) CHECK(group.bytes + group.headroom_bytes == 0);
}

TEST_CASE("headroom: 100 Gb/s over 100 m with frames of 1,538 bytes", "[qos][buffer]") {
  // 500 ns each way are 2 * 6,250 bytes; three frames, and a pause frame of 84.
  CHECK(pfc_headroom_bytes({100'000'000'000, 500'000, 1'538, 84}) == 12'500 + 3 * 1'538 + 84);
  CHECK(pfc_headroom_bytes({0, 0, 0, 0}) == 0);
}

}  // namespace
}  // namespace rocelab::qos
