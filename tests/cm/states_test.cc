// The table of states: compared as a whole with tests/cm/golden/states.txt, and calls in every state of the Manager.
#include <fmt/format.h>

#include "cm/state.h"
#include "tests/cm/harness/network.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"

namespace rocelab::test {

using cm::State;
using cm::Trigger;

TEST_CASE("cm states: the whole table is the golden one", "[cm][states][golden]") {
  std::string text;
  for (std::uint8_t s = 0; s < cm::kStateCount; ++s) {
    text += fmt::format("{}\n", to_string(static_cast<State>(s)));
    for (std::uint8_t t = 0; t < cm::kTriggerCount; ++t) {
      const auto to = next_state(static_cast<State>(s), static_cast<Trigger>(t));
      text += fmt::format("  {:<15} {}\n", to_string(static_cast<Trigger>(t)), to ? to_string(*to) : "-");
    }
  }
  CHECK(differs_from_golden(text, "tests/cm/golden/states.txt") == "");
}

TEST_CASE("cm states: values outside the table lead nowhere", "[cm][states]") {
  CHECK_FALSE(next_state(static_cast<State>(200), Trigger::kListen).has_value());
  CHECK_FALSE(next_state(State::kIdle, static_cast<Trigger>(200)).has_value());
  CHECK(to_string(static_cast<State>(200)) == "?");
  CHECK(to_string(static_cast<Trigger>(200)) == "?");
}

TEST_CASE("cm states: from every state that has a peer the end is reached", "[cm][states]") {
  // Nothing hangs for ever: a deadline, the peer's death or the consumer's next call leads on, to idle in the end.
  for (std::uint8_t s = 0; s < cm::kStateCount; ++s) {
    State state = static_cast<State>(s);
    if (state == State::kListen || state == State::kSidrReqRcvd) continue;
    unsigned steps = 0;
    while (state != State::kIdle && steps < 8) {
      for (const Trigger trigger : {Trigger::kTimewaitEnd, Trigger::kRetriesEnd, Trigger::kSendDrep, Trigger::kSendRej,
                                    Trigger::kSendDreq, Trigger::kSendMra}) {
        if (const auto to = next_state(state, trigger)) {
          state = *to;
          break;
        }
      }
      ++steps;
    }
    INFO(to_string(static_cast<State>(s)));
    CHECK(state == State::kIdle);
  }
}

TEST_CASE("cm states: a call in the wrong state changes nothing", "[cm][states]") {
  Connected pair;
  auto& network = pair.network;
  const auto einval = [](const base::Result<void>& result) { return !result && result.error().code == EINVAL; };
  const std::size_t sent = network.sent();
  for (Node* node : {&pair.a, &pair.b}) {
    const cm::Id id = node == &pair.a ? pair.at_a : pair.at_b;
    cm::Manager& m = node->manager();
    CHECK(einval(m.listen(id, {1, cm::kExactService, {}, {}})));
    CHECK(einval(m.send_req(network.now(), id, request_to(pair.b, pair.a, kService, 9))));
    CHECK(einval(m.send_rep(network.now(), id, {})));
    CHECK(einval(m.send_rtu(network.now(), id, {})));
    CHECK(einval(m.send_rej(network.now(), id, {})));
    CHECK(einval(m.send_mra(network.now(), id, 20, cm::MraWhen::kNow, {})));
    CHECK(einval(m.send_drep(network.now(), id, {})));
    CHECK(einval(m.send_sidr_rep(network.now(), id, {})));
    CHECK(m.notify_established(network.now(), id).has_value());  // it is
    CHECK(m.info(id)->state == State::kEstablished);
  }
  network.settle();
  CHECK(network.sent() == sent);
  CHECK(pair.a.silent());
  CHECK(pair.b.silent());
}

TEST_CASE("cm states: private data beyond its field and ids that are not there are refused", "[cm][states]") {
  Connected pair(1, false);
  auto& network = pair.network;
  cm::Manager& m = pair.b.manager();
  const std::vector<std::byte> longest(300);
  const auto of = [&longest](std::size_t size) { return std::span<const std::byte>(longest).first(size); };
  const cm::Id id = pair.b.create();
  auto req = request_to(pair.b, pair.a, kService, 1);
  req.private_data = of(cm::Req::kPrivateBytes + 1);
  CHECK_FALSE(m.send_req(network.now(), id, req).has_value());
  req.private_data = {};
  req.path_mtu = 0;
  CHECK_FALSE(m.send_req(network.now(), id, req).has_value());
  req.path_mtu = 6;
  CHECK_FALSE(m.send_req(network.now(), id, req).has_value());
  cm::SidrReqParam sidr;
  sidr.path = req.path;
  sidr.private_data = of(cm::SidrReq::kPrivateBytes + 1);
  CHECK_FALSE(m.send_sidr_req(network.now(), id, sidr).has_value());
  sidr.private_data = {};
  sidr.timeout = {};
  CHECK_FALSE(m.send_sidr_req(network.now(), id, sidr).has_value());
  CHECK(m.info(id)->state == State::kIdle);
  pair.establish();
  CHECK_FALSE(m.send_dreq(network.now(), pair.at_b, of(cm::Dreq::kPrivateBytes + 1)).has_value());

  const auto nobody = static_cast<cm::Id>(0x0200'0000);
  CHECK(m.info(nobody).error().code == ENOENT);
  CHECK(m.destroy_id(network.now(), nobody).error().code == ENOENT);
  CHECK(m.send_dreq(network.now(), nobody, {}).error().code == ENOENT);
  CHECK(m.send_sidr_req(network.now(), nobody, sidr).error().code == ENOENT);
  REQUIRE(m.destroy_id(network.now(), id));
  CHECK(m.info(id).error().code == ENOENT);
  CHECK(pair.a.manager().listen(pair.a.create(), {kService, cm::kExactService, {}, {}}).error().code == EADDRINUSE);
}

}  // namespace rocelab::test
