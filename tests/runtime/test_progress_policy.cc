// Who drives, as decisions over a list of calls and times (runtime/progress_policy.h).
#include "runtime/progress_policy.h"
#include "tests/support/catch.h"

using namespace rocelab::runtime;
using rocelab::base::Duration;
using rocelab::base::TimePoint;

namespace {

/// A policy and the time of an imagined application.
struct Application {
  explicit Application(ProgressMode mode = ProgressMode::kAuto) : policy(mode) {}
  /// Polls in vain every `step` for `total`; true: it took the lead.
  bool poll_for(Duration total, Duration step) {
    for (const TimePoint end = now + total; now < end; now = now + step) {
      if (policy.on_empty_poll(now)) return true;
    }
    return false;
  }
  ProgressPolicy policy;
  TimePoint now = TimePoint::from_ns(1'000'000'000);
};

}  // namespace

TEST_CASE("progress: the thread leads at first", "[runtime][progress]") {
  CHECK_FALSE(Application().policy.application_drives());
}

TEST_CASE("progress: an application that polls all the time takes the lead after 50 us", "[runtime][progress]") {
  Application app;
  app.policy.on_call(app.now);
  CHECK_FALSE(app.poll_for(Duration::us(40), Duration::ns(50)));
  CHECK(app.poll_for(Duration::us(20), Duration::ns(50)));
  CHECK(app.policy.application_drives());
  CHECK_FALSE(app.poll_for(Duration::us(200), Duration::ns(50)));  // it has it already
}

TEST_CASE("progress: an application that spins on memory between its polls never takes the lead",
          "[runtime][progress]") {
  Application app;
  for (int i = 0; i < 1'000; ++i) {  // ib_write_lat: post, poll for the completion, wait for a byte to change
    app.policy.on_call(app.now);
    CHECK_FALSE(app.poll_for(Duration::us(10), Duration::ns(50)));
    app.now = app.now + Duration::us(5);
  }
}

TEST_CASE("progress: short work between polls does not cost the lead", "[runtime][progress]") {
  Application app;
  bool took = false;
  for (int i = 0; i < 1'000 && !took; ++i) {  // ib_send_lat: everything is a poll or quick
    app.policy.on_call(app.now);
    took = app.poll_for(Duration::us(5), Duration::ns(50));
    app.now = app.now + Duration::ns(800);
  }
  CHECK(took);
}

TEST_CASE("progress: one poll now and then does not take the lead", "[runtime][progress]") {
  Application app;
  for (int i = 0; i < 10'000; ++i) {
    CHECK_FALSE(app.policy.on_empty_poll(app.now));
    app.now = app.now + Duration::ms(1);
  }
}

TEST_CASE("progress: a tick without polls gives the lead to the thread", "[runtime][progress]") {
  Application app;
  REQUIRE(app.poll_for(Duration::us(100), Duration::ns(50)));
  app.policy.on_silent_tick();
  CHECK_FALSE(app.policy.application_drives());
}

TEST_CASE("progress: who loses the lead by a silent tick polls for longer to get it back, until it has kept it",
          "[runtime][progress]") {
  Application app;
  REQUIRE(app.poll_for(Duration::us(100), Duration::ns(50)));
  app.policy.on_silent_tick();
  CHECK_FALSE(app.poll_for(Duration::us(300), Duration::ns(50)));
  REQUIRE(app.poll_for(Duration::us(200), Duration::ns(50)));
  CHECK_FALSE(app.poll_for(Duration::ms(11), Duration::us(1)));  // has it already, and keeps it
  CHECK(app.policy.on_arm());
  CHECK(app.poll_for(Duration::us(100), Duration::ns(50)));
}

TEST_CASE("progress: arming a CQ gives the lead to the thread at once", "[runtime][progress]") {
  Application app;
  CHECK_FALSE(app.policy.on_arm());  // it has it already
  REQUIRE(app.poll_for(Duration::us(100), Duration::ns(50)));
  CHECK(app.policy.on_arm());
  CHECK_FALSE(app.policy.application_drives());
  CHECK_FALSE(app.poll_for(Duration::us(30), Duration::ns(50)));
}

TEST_CASE("progress: ticks slow down to 1 ms while the application polls", "[runtime][progress]") {
  const ProgressPolicy policy(ProgressMode::kAuto);
  Duration tick = policy.first_tick();
  CHECK(tick == Duration::us(50));
  for (int i = 0; i < 10; ++i) tick = policy.next_tick(tick);
  CHECK(tick == Duration::ms(1));
}

TEST_CASE("progress: in mode `thread` polls neither drive nor take the lead", "[runtime][progress]") {
  Application app(ProgressMode::kThread);
  CHECK_FALSE(app.policy.may_poll_drive());
  CHECK_FALSE(app.poll_for(Duration::ms(1), Duration::ns(50)));
}

TEST_CASE("progress: in mode `poll` the first empty poll takes the lead, unless a CQ is armed", "[runtime][progress]") {
  Application app(ProgressMode::kPoll);
  CHECK(app.policy.on_empty_poll(app.now));
  CHECK(app.policy.on_arm());
  CHECK_FALSE(app.policy.on_empty_poll(app.now + Duration::ns(100)));
  app.now = app.now + Duration::us(1);
  CHECK(app.poll_for(Duration::us(100), Duration::ns(50)));
  CHECK(app.policy.first_tick() == Duration::ms(10));
}
