// The watchdog's two states, step by step.
#include "qos/pfc_watchdog.h"
#include "tests/support/catch.h"

namespace rocelab::qos {
namespace {

using Change = PfcWatchdog::Change;
constexpr PfcWatchdogOptions kOptions{true, 200, 300, WatchdogAction::kDrop};

TEST_CASE("watchdog: a queue that is stuck for the detection time is in a storm", "[qos][watchdog]") {
  PfcWatchdog watchdog;
  const PfcWatchdog::Facts stuck{true, true, 5, 1000};
  CHECK(watchdog.look(kOptions, 1000, stuck) == Change::kNone);
  CHECK(watchdog.next_look_ps(kOptions) == 1200);
  CHECK(watchdog.look(kOptions, 1199, stuck) == Change::kNone);
  CHECK(watchdog.look(kOptions, 1200, stuck) == Change::kStorm);
  CHECK(watchdog.in_storm());
  CHECK(watchdog.look(kOptions, 1201, stuck) == Change::kNone);
}

TEST_CASE("watchdog: a packet sent, a resume or an empty queue starts it again", "[qos][watchdog]") {
  PfcWatchdog watchdog;
  CHECK(watchdog.look(kOptions, 0, {true, true, 5, 0}) == Change::kNone);
  CHECK(watchdog.look(kOptions, 200, {true, true, 6, 0}) == Change::kNone);
  CHECK(watchdog.next_look_ps(kOptions) == 400);
  CHECK(watchdog.look(kOptions, 300, {false, true, 6, 0}) == Change::kNone);
  CHECK_FALSE(watchdog.active());
  CHECK(watchdog.look(kOptions, 350, {true, true, 6, 350}) == Change::kNone);
  CHECK(watchdog.look(kOptions, 549, {true, true, 6, 350}) == Change::kNone);
  CHECK(watchdog.look(kOptions, 550, {true, false, 6, 350}) == Change::kNone);
  CHECK_FALSE(watchdog.active());
}

TEST_CASE("watchdog: restored when no pause frame has come for the restoration time", "[qos][watchdog]") {
  PfcWatchdog watchdog;
  watchdog.look(kOptions, 0, {true, true, 0, 0});
  REQUIRE(watchdog.look(kOptions, 200, {true, true, 0, 150}) == Change::kStorm);
  CHECK(watchdog.next_look_ps(kOptions) == 450);
  CHECK(watchdog.look(kOptions, 450, {true, false, 0, 400}) == Change::kNone);
  CHECK(watchdog.next_look_ps(kOptions) == 700);
  CHECK(watchdog.look(kOptions, 700, {false, false, 0, 400}) == Change::kRestored);
  CHECK_FALSE(watchdog.active());
}

TEST_CASE("watchdog: switched off it never barks", "[qos][watchdog]") {
  PfcWatchdog watchdog;
  const PfcWatchdogOptions off;
  CHECK(watchdog.look(off, 0, {true, true, 0, 0}) == Change::kNone);
  CHECK(watchdog.look(off, 1'000'000'000'000'000, {true, true, 0, 0}) == Change::kNone);
}

}  // namespace
}  // namespace rocelab::qos
