// LoopbackPort: order, contents, room, and what the contract of net::Port says about reservations and flushing.
#include <algorithm>
#include <array>
#include <cstring>

#include "net/loopback_port.h"
#include "tests/net/frames.h"
#include "tests/support/catch.h"

namespace rocelab::net {

TEST_CASE("loopback: frames come back in order, with their bytes and lengths", "[net][loopback]") {
  LoopbackPort port(8);
  std::array<Frame, kBurstMax> frames;
  for (std::uint32_t round = 0; round < 100; ++round) {
    for (std::uint32_t i = 0; i < 5; ++i) REQUIRE(send_frame(port, 40 + 100 * i + round, round * 5 + i));
    CHECK(port.tx_flush() == 5);
    REQUIRE(port.rx_burst(frames) == 5);
    for (std::uint32_t i = 0; i < 5; ++i) CHECK(frame_is(frames[i], 40 + 100 * i + round, round * 5 + i));
    port.rx_release();
  }
  CHECK(port.counters().tx_frames == 500);
  CHECK(port.counters().rx_frames == 500);
  CHECK(port.counters().tx_bytes == port.counters().rx_bytes);
}

TEST_CASE("loopback: a full ring refuses, and has room again after the release, not before", "[net][loopback]") {
  LoopbackPort port(4);
  for (std::uint32_t i = 0; i < 4; ++i) REQUIRE(send_frame(port, 100, i));
  CHECK(port.tx_reserve(100) == nullptr);
  port.tx_flush();
  std::array<Frame, 2> two;
  REQUIRE(port.rx_burst(two) == 2);
  CHECK(port.tx_reserve(100) == nullptr);
  CHECK(frame_is(two[0], 100, 0));
  port.rx_release();
  CHECK(send_frame(port, 100, 4));
  CHECK(send_frame(port, 100, 5));
  CHECK(port.tx_reserve(100) == nullptr);
}

TEST_CASE("loopback: nothing arrives before the flush, nor from a reservation without commit", "[net][loopback]") {
  LoopbackPort port(4);
  std::array<Frame, 4> frames;
  REQUIRE(port.tx_reserve(100) != nullptr);
  CHECK(port.tx_flush() == 0);
  CHECK(port.rx_burst(frames) == 0);
  port.rx_release();
  REQUIRE(send_frame(port, 100, 1));
  CHECK(port.rx_burst(frames) == 0);
  port.rx_release();
  CHECK(port.tx_flush() == 1);
  REQUIRE(port.rx_burst(frames) == 1);
  CHECK(frame_is(frames[0], 100, 1));
  port.rx_release();
}

TEST_CASE("loopback: frames longer than agreed are refused, the longest is not", "[net][loopback]") {
  LoopbackPort port(4, 1000);
  CHECK(port.frame_bytes_max() == 1000);
  CHECK(port.tx_reserve(1001) == nullptr);
  CHECK(send_frame(port, 1000, 7));
}

}  // namespace rocelab::net
