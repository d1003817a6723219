// base::Rng: the numbers are part of every recorded seed, so their sequence is pinned here.
#include "base/rng.h"

#include <array>
#include <cstdint>

#include "tests/support/catch.h"

namespace rocelab::base {

namespace {

/// xoshiro256** and splitmix64 once more, as their authors describe them, with the state in plain sight.
struct Reference {
  std::array<std::uint64_t, 4> s{};
  std::uint64_t x = 0;

  std::uint64_t split() {
    std::uint64_t z = (x += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }
  explicit Reference(std::uint64_t mixed_seed) : x(mixed_seed) {
    for (auto& word : s) word = split();
  }
  static std::uint64_t rotl(std::uint64_t v, int k) { return v << k | v >> (64 - k); }
  std::uint64_t next() {
    const std::uint64_t out = rotl(s[1] * 5, 7) * 9;
    const std::uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return out;
  }
};

}  // namespace

TEST_CASE("rng: the sequence is xoshiro256** seeded by splitmix64", "[base][rng]") {
  for (const std::uint64_t seed : {0ull, 1ull, 42ull, ~0ull}) {
    Rng rng(seed, "");
    Reference reference(seed);
    for (int i = 0; i < 1000; ++i) REQUIRE(rng.next() == reference.next());
  }
}

TEST_CASE("rng: the same seed and component give the same numbers", "[base][rng]") {
  Rng one(7, "link"), two(7, "link");
  for (int i = 0; i < 100; ++i) REQUIRE(one.next() == two.next());
}

TEST_CASE("rng: components of one seed and seeds of one component differ", "[base][rng]") {
  Rng link(7, "link"), sink(7, "sink"), other(8, "link");
  int equal = 0;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t value = link.next();
    if (value == sink.next() || value == other.next()) ++equal;
  }
  CHECK(equal == 0);
}

TEST_CASE("rng: below() stays below its bound and reaches every value", "[base][rng]") {
  Rng rng(3, "below");
  for (const std::uint64_t bound : {1u, 2u, 3u, 7u, 100u}) {
    std::array<unsigned, 100> seen{};
    for (int i = 0; i < 5000; ++i) {
      const std::uint64_t value = rng.below(bound);
      REQUIRE(value < bound);
      ++seen[value];
    }
    for (std::uint64_t value = 0; value < bound; ++value) CHECK(seen[value] > 5000 / bound / 2);
  }
  for (int i = 0; i < 100; ++i) REQUIRE(rng.below((1ull << 63) + 1) <= 1ull << 63);
}

TEST_CASE("rng: chance() of none never happens, of all always, of a half about half the time", "[base][rng]") {
  Rng rng(3, "chance");
  int half = 0;
  for (int i = 0; i < 10'000; ++i) {
    REQUIRE_FALSE(rng.chance(0, 1000));
    REQUIRE(rng.chance(1000, 1000));
    half += rng.chance(1, 2) ? 1 : 0;
  }
  CHECK(half > 4700);
  CHECK(half < 5300);
}

}  // namespace rocelab::base
