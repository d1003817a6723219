// How connections end: by either side, by both at once, by destroying the id in any state, by a death.
#include "tests/cm/harness/network.h"
#include "tests/support/catch.h"

namespace rocelab::test {

using cm::EventKind;
using cm::State;

TEST_CASE("cm ends: both sides wait before their QPs' numbers may be used again", "[cm][end]") {
  Connected pair;
  REQUIRE(pair.b.manager().send_dreq(pair.network.now(), pair.at_b, {}));
  CHECK(pair.b.state(pair.at_b) == State::kDreqSent);
  pair.network.settle();
  CHECK(pair.a.expect(EventKind::kDreqReceived).id == pair.at_a);
  CHECK(pair.a.state(pair.at_a) == State::kDreqRcvd);
  REQUIRE(pair.a.manager().send_drep(pair.network.now(), pair.at_a, {}));
  pair.network.settle();
  pair.b.expect(EventKind::kDrepReceived);
  CHECK(pair.a.state(pair.at_a) == State::kTimewait);
  CHECK(pair.b.state(pair.at_b) == State::kTimewait);
  pair.network.run_for(Duration::ms(500));  // of 537
  CHECK(pair.a.silent());
  pair.network.run_for(Duration::ms(50));
  pair.a.expect(EventKind::kTimewaitExit);
  pair.b.expect(EventKind::kTimewaitExit);
  CHECK(pair.b.state(pair.at_b) == State::kIdle);
}

TEST_CASE("cm ends: two DREQs that cross end the connection at both sides", "[cm][end]") {
  Connected pair;
  REQUIRE(pair.a.manager().send_dreq(pair.network.now(), pair.at_a, {}));
  REQUIRE(pair.b.manager().send_dreq(pair.network.now(), pair.at_b, {}));
  pair.network.settle();
  pair.a.expect(EventKind::kDreqReceived);
  pair.b.expect(EventKind::kDreqReceived);
  CHECK(pair.a.state(pair.at_a) == State::kTimewait);
  CHECK(pair.b.state(pair.at_b) == State::kTimewait);
  pair.network.run_for(Duration::s(10));
  CHECK(pair.a.state(pair.at_a) == State::kIdle);
}

TEST_CASE("cm ends: a repeated DREQ is answered again, in timewait and when nobody remembers", "[cm][end]") {
  Connected pair;
  REQUIRE(pair.b.manager().send_dreq(pair.network.now(), pair.at_b, {}));
  pair.network.settle();
  pair.a.expect(EventKind::kDreqReceived);
  REQUIRE(pair.a.manager().send_drep(pair.network.now(), pair.at_a, {}));
  pair.network.settle();
  const cm::Dreq again{static_cast<std::uint32_t>(pair.at_b), static_cast<std::uint32_t>(pair.at_a), 0x10011, {}};
  std::size_t before = pair.network.sent();
  forge(pair.network, pair.b, pair.a, again);
  CHECK(pair.network.sent() == before + 1);
  pair.network.run_for(Duration::s(10));
  REQUIRE(pair.a.manager().destroy_id(pair.network.now(), pair.at_a));
  before = pair.network.sent();
  forge(pair.network, pair.b, pair.a, again);
  CHECK(pair.network.sent() == before + 1);
  // Of another process's id nothing is said, unless that process is gone.
  auto others = again;
  others.remote_comm_id = 0x0500'0001;
  Node& third = pair.network.add({5, 0xaaaa, 0x0a4d'0001, 100, 100});
  before = pair.network.sent();
  third.alive = true;
  forge(pair.network, pair.b, pair.a, others);  // slot 5 answers for itself
  CHECK(pair.network.sent() == before + 1);
  third.alive = false;
  forge(pair.network, pair.b, pair.a, others);  // slot 1 answers for slot 5
  CHECK(pair.network.sent() == before + 2);
}

TEST_CASE("cm ends: a DREQ may come instead of the RTU", "[cm][end]") {
  Connected pair(1, false);
  pair.network.loses = [](const cm::Mad& mad) { return std::holds_alternative<cm::Rtu>(mad.message); };
  const cm::Id at_b = pair.b.create();
  REQUIRE(pair.b.manager().send_req(pair.network.now(), at_b, request_to(pair.b, pair.a, kService, 0x20011)));
  pair.network.settle();
  const cm::Id at_a = pair.a.expect(EventKind::kReqReceived).id;
  cm::RepParam rep;
  rep.qpn = 0x10011;
  REQUIRE(pair.a.manager().send_rep(pair.network.now(), at_a, rep));
  pair.network.settle();
  REQUIRE(pair.b.manager().send_rtu(pair.network.now(), at_b, {}));
  REQUIRE(pair.b.manager().send_dreq(pair.network.now(), at_b, {}));
  pair.network.settle();
  pair.a.expect(EventKind::kDreqReceived);
  CHECK(pair.a.state(at_a) == State::kDreqRcvd);
}

TEST_CASE("cm ends: data that arrives stands for a lost RTU", "[cm][end]") {
  Connected pair(1, false);
  pair.network.loses = [](const cm::Mad& mad) { return std::holds_alternative<cm::Rtu>(mad.message); };
  const cm::Id at_b = pair.b.create();
  REQUIRE(pair.b.manager().send_req(pair.network.now(), at_b, request_to(pair.b, pair.a, kService, 0x20011)));
  pair.network.settle();
  const cm::Id at_a = pair.a.expect(EventKind::kReqReceived).id;
  REQUIRE(pair.a.manager().send_rep(pair.network.now(), at_a, {}));
  pair.network.settle();
  REQUIRE(pair.b.manager().send_rtu(pair.network.now(), at_b, {}));
  REQUIRE(pair.a.manager().notify_established(pair.network.now(), at_a));
  pair.network.settle();
  pair.a.expect(EventKind::kUserEstablished);
  const std::size_t before = pair.network.sent();
  pair.network.run_for(Duration::s(100));
  CHECK(pair.network.sent() == before);  // the REP is not repeated any more
  pair.network.loses = nullptr;
  forge(pair.network, pair.b, pair.a, cm::Rtu{static_cast<std::uint32_t>(at_b), static_cast<std::uint32_t>(at_a), {}});
  CHECK(pair.a.silent());  // a late one tells nothing new
}

TEST_CASE("cm ends: an id that is destroyed says the right thing to its peer", "[cm][end][destroy]") {
  Connected pair(1, false);
  auto& network = pair.network;
  const cm::Id at_b = pair.b.create();
  REQUIRE(pair.b.manager().send_req(network.now(), at_b, request_to(pair.b, pair.a, kService, 0x20011)));
  SECTION("with its REQ under way: a REJ that names it by GUID and number") {
    network.settle();
    const cm::Id at_a = pair.a.expect(EventKind::kReqReceived).id;
    REQUIRE(pair.b.manager().destroy_id(network.now(), at_b));
    network.settle();
    const auto event = pair.a.expect(EventKind::kRejReceived);
    CHECK(std::get<cm::Rej>(event.message).reason == cm::RejectReason::kTimeout);
    CHECK(pair.a.state(at_a) == State::kIdle);
    CHECK(pair.b.manager().id_count() == 0);
  }
  SECTION("with a REP on its way to it: the REP is refused as well") {
    network.settle();
    const cm::Id at_a = pair.a.expect(EventKind::kReqReceived).id;
    network.loses = [](const cm::Mad& mad) {
      const auto* rej = std::get_if<cm::Rej>(&mad.message);
      return rej != nullptr && rej->reason == cm::RejectReason::kTimeout;
    };
    REQUIRE(pair.a.manager().send_rep(network.now(), at_a, {}));
    REQUIRE(pair.b.manager().destroy_id(network.now(), at_b));
    network.settle();
    const auto event = pair.a.expect(EventKind::kRejReceived);
    CHECK(std::get<cm::Rej>(event.message).reason == cm::RejectReason::kInvalidCommId);
  }
  SECTION("with a request received: a REJ") {
    network.settle();
    const cm::Id at_a = pair.a.expect(EventKind::kReqReceived).id;
    if (GENERATE(false, true)) {
      REQUIRE(pair.a.manager().send_mra(network.now(), at_a, 24, cm::MraWhen::kNow, {}));
      network.settle();
      pair.b.expect(EventKind::kMraReceived);
    }
    REQUIRE(pair.a.manager().destroy_id(network.now(), at_a));
    network.settle();
    const auto event = pair.b.expect(EventKind::kRejReceived);
    CHECK(std::get<cm::Rej>(event.message).reason == cm::RejectReason::kConsumerDefined);
    CHECK(pair.a.manager().id_count() == 1);
  }
  SECTION("with its REP sent: a REJ, and it rests") {
    network.settle();
    const cm::Id at_a = pair.a.expect(EventKind::kReqReceived).id;
    REQUIRE(pair.a.manager().send_rep(network.now(), at_a, {}));
    network.settle();
    pair.b.expect(EventKind::kRepReceived);
    REQUIRE(pair.a.manager().destroy_id(network.now(), at_a));
    network.settle();
    pair.b.expect(EventKind::kRejReceived);
    CHECK(pair.b.state(at_b) == State::kTimewait);
    network.run_for(Duration::s(5));
    CHECK(pair.a.manager().id_count() == 1);
    CHECK(pair.a.silent());
  }
}

TEST_CASE("cm ends: a connected id that is destroyed disconnects by itself, whatever is lost", "[cm][end][destroy]") {
  Connected pair;
  int losses = 3;
  pair.network.loses = [&losses](const cm::Mad& mad) {
    return std::holds_alternative<cm::Dreq>(mad.message) && losses-- > 0;
  };
  REQUIRE(pair.b.manager().destroy_id(pair.network.now(), pair.at_b));
  CHECK_FALSE(pair.b.manager().info(pair.at_b).has_value());
  CHECK(pair.b.manager().id_count() == 1);
  pair.network.run_for(Duration::s(30));
  pair.a.expect(EventKind::kDreqReceived);
  REQUIRE(pair.a.manager().destroy_id(pair.network.now(), pair.at_a));
  pair.network.run_for(Duration::s(30));
  CHECK(pair.b.silent());
  CHECK(pair.b.manager().id_count() == 0);
  CHECK(pair.a.manager().id_count() == 1);  // the listener
}

TEST_CASE("cm ends: a process that leaves ends all it has", "[cm][end][destroy]") {
  Connected pair;
  pair.a.manager().destroy_all(pair.network.now());
  pair.network.settle();
  pair.b.expect(EventKind::kDreqReceived);
  REQUIRE(pair.b.manager().send_drep(pair.network.now(), pair.at_b, {}));
  pair.network.run_for(Duration::s(10));
  CHECK(pair.a.manager().id_count() == 0);
}

TEST_CASE("cm ends: the death of a process of the host ends its connections at its peers", "[cm][end][death]") {
  Network network;
  Node& a = network.add({1, 0xaaaa, 0x0a4d'0001, 100, 100});
  Node& b = network.add({2, 0xaaaa, 0x0a4d'0001, 100, 100});
  const cm::Service service{kService, cm::kExactService, {}, {}};
  REQUIRE(a.manager().listen(a.create(), service));
  a.published.push_back(service);
  const cm::Id at_b = b.create();
  REQUIRE(b.manager().send_req(network.now(), at_b, request_to(b, a, kService, 0x20011)));
  network.settle();
  const cm::Id at_a = a.expect(EventKind::kReqReceived).id;
  const auto die = [&](Node& dead, Node& other) {
    CHECK(other.manager().local_peers()[dead.options().slot]);
    dead.alive = false;
    other.manager().handle_peer_death(network.now(), 7);  // somebody else
    network.settle();
    CHECK(other.silent());
    other.manager().handle_peer_death(network.now(), dead.options().slot);
    network.settle();
  };
  SECTION("the passive side has the request in hand") {
    die(b, a);
    CHECK_FALSE(a.expect(EventKind::kRejReceived).has_message);
    CHECK(a.state(at_a) == State::kIdle);
  }
  SECTION("the passive side has replied") {
    REQUIRE(a.manager().send_rep(network.now(), at_a, {}));
    network.settle();
    die(b, a);
    a.expect(EventKind::kRepError);
    CHECK(a.state(at_a) == State::kIdle);
  }
  SECTION("the active side has been asked for patience") {
    REQUIRE(a.manager().send_mra(network.now(), at_a, 24, cm::MraWhen::kNow, {}));
    network.settle();
    b.expect(EventKind::kMraReceived);
    die(a, b);
    b.expect(EventKind::kReqError);
    CHECK(b.state(at_b) == State::kIdle);
  }
  SECTION("the active side has the reply in hand") {
    REQUIRE(a.manager().send_rep(network.now(), at_a, {}));
    network.settle();
    b.expect(EventKind::kRepReceived);
    die(a, b);
    b.expect(EventKind::kRejReceived);
    CHECK(b.state(at_b) == State::kTimewait);
  }
  SECTION("both were connected") {
    REQUIRE(a.manager().send_rep(network.now(), at_a, {}));
    network.settle();
    b.expect(EventKind::kRepReceived);
    REQUIRE(b.manager().send_rtu(network.now(), at_b, {}));
    network.settle();
    a.expect(EventKind::kRtuReceived);
    if (GENERATE(false, true)) {
      die(a, b);
      CHECK_FALSE(b.expect(EventKind::kDreqReceived).has_message);
      CHECK(b.state(at_b) == State::kDreqRcvd);
      REQUIRE(b.manager().send_drep(network.now(), at_b, {}));
      CHECK(b.state(at_b) == State::kTimewait);
    } else {
      a.alive = false;
      REQUIRE(b.manager().send_dreq(network.now(), at_b, {}));
      network.settle();
      b.manager().handle_peer_death(network.now(), 1);
      network.settle();
      b.expect(EventKind::kDrepReceived);  // the host's speaker has answered for the dead already
    }
  }
}

TEST_CASE("cm ends: alternate paths are refused, and the connection stays", "[cm][end][lap]") {
  Connected pair;
  std::vector<cm::Apr> answers;
  pair.network.loses = [&answers](const cm::Mad& mad) {
    if (const auto* apr = std::get_if<cm::Apr>(&mad.message)) answers.push_back(*apr);
    return false;
  };
  cm::Lap lap;
  lap.local_comm_id = static_cast<std::uint32_t>(pair.at_b);
  lap.remote_comm_id = static_cast<std::uint32_t>(pair.at_a);
  forge(pair.network, pair.b, pair.a, lap);
  pair.network.settle();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].status == cm::AprStatus::kNotSupported);
  CHECK(answers[0].remote_comm_id == lap.local_comm_id);
  lap.remote_comm_id += 1;
  forge(pair.network, pair.b, pair.a, lap);
  pair.network.settle();
  REQUIRE(answers.size() == 2);
  CHECK(answers[1].status == cm::AprStatus::kInvalidCommId);
  CHECK(pair.a.silent());
  CHECK(pair.a.state(pair.at_a) == State::kEstablished);
  CHECK(pair.b.state(pair.at_b) == State::kEstablished);
}

}  // namespace rocelab::test
