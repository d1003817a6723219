// Time: repetitions and their end, requests for patience, duplicates.
#include "tests/cm/harness/network.h"
#include "tests/support/catch.h"

namespace rocelab::test {

using cm::EventKind;
using cm::MraWhen;
using cm::State;

namespace {

template <class M>
auto all_of_kind() {
  return [](const cm::Mad& mad) { return std::holds_alternative<M>(mad.message); };
}

cm::Id request(Connected& pair) {
  const cm::Id id = pair.b.create();
  REQUIRE(pair.b.manager().send_req(pair.network.now(), id, request_to(pair.b, pair.a, kService, 0x20011)));
  pair.network.settle();
  return id;
}

}  // namespace

TEST_CASE("cm retries: a REQ that nobody answers is sent 16 times, and then given up", "[cm][retry]") {
  Connected pair(1, false);
  pair.network.loses = all_of_kind<cm::Req>();
  const cm::Id id = request(pair);
  // 4.3 s for the peer and 0.5 s for the way, 16 times.
  pair.network.run_for(Duration::s(76));
  CHECK(pair.network.sent() == 16);
  CHECK(pair.b.silent());
  pair.network.run_for(Duration::s(10));
  pair.b.expect(EventKind::kReqError);
  CHECK(pair.b.state(id) == State::kIdle);
  pair.network.run_for(Duration::s(1000));
  CHECK(pair.network.sent() == 16);
  CHECK_FALSE(pair.b.manager().next_timeout().has_value());
}

TEST_CASE("cm retries: fewer, and faster, when the consumer says so", "[cm][retry]") {
  Connected pair(1, false);
  pair.network.loses = all_of_kind<cm::Req>();
  auto param = request_to(pair.b, pair.a, kService, 1);
  param.max_cm_retries = 2;
  param.remote_response_timeout = 10;
  param.ack_timeout = 8;
  REQUIRE(pair.b.manager().send_req(pair.network.now(), pair.b.create(), param));
  pair.network.run_for(Duration::ms(20));
  CHECK(pair.network.sent() == 3);
  pair.b.expect(EventKind::kReqError);
}

TEST_CASE("cm retries: a REP that nobody answers is given up too", "[cm][retry]") {
  Connected pair(1, false);
  const cm::Id at_b = request(pair);
  const cm::Id at_a = pair.a.expect(EventKind::kReqReceived).id;
  pair.network.loses = all_of_kind<cm::Rep>();
  REQUIRE(pair.a.manager().send_rep(pair.network.now(), at_a, {}));
  pair.network.run_for(Duration::s(120));
  pair.a.expect(EventKind::kRepError);
  CHECK(pair.a.state(at_a) == State::kIdle);
  CHECK(pair.b.state(at_b) == State::kIdle);  // its REQ had its end as well
}

TEST_CASE("cm retries: a DREQ that nobody answers ends the connection all the same", "[cm][retry]") {
  Connected pair;
  pair.network.loses = all_of_kind<cm::Dreq>();
  REQUIRE(pair.b.manager().send_dreq(pair.network.now(), pair.at_b, {}));
  pair.network.run_for(Duration::s(110));
  pair.b.expect(EventKind::kDreqError);
  pair.b.expect(EventKind::kTimewaitExit);
  CHECK(pair.b.state(pair.at_b) == State::kIdle);
  CHECK(pair.a.state(pair.at_a) == State::kEstablished);  // it has heard nothing
}

TEST_CASE("cm retries: a consumer that thinks asks for patience, and is not asked again meanwhile",
          "[cm][retry][mra]") {
  Connected pair(1, false);
  const cm::Id at_b = request(pair);
  const cm::Id at_a = pair.a.expect(EventKind::kReqReceived).id;
  REQUIRE(pair.a.manager().send_mra(pair.network.now(), at_a, 24, MraWhen::kNow, {}));
  pair.network.settle();
  pair.b.expect(EventKind::kMraReceived);
  CHECK(pair.b.state(at_b) == State::kMraReqRcvd);
  const std::size_t sent = pair.network.sent();
  pair.network.run_for(Duration::s(60));  // of 68.7
  CHECK(pair.network.sent() == sent);
  REQUIRE(pair.a.manager().send_rep(pair.network.now(), at_a, {}));
  pair.network.settle();
  pair.b.expect(EventKind::kRepReceived);
  REQUIRE(pair.b.manager().send_mra(pair.network.now(), at_b, 24, MraWhen::kNow, {}));
  pair.network.settle();
  pair.a.expect(EventKind::kMraReceived);
  CHECK(pair.a.state(at_a) == State::kMraRepRcvd);
  pair.network.run_for(Duration::s(60));
  REQUIRE(pair.b.manager().send_rtu(pair.network.now(), at_b, {}));
  pair.network.settle();
  pair.a.expect(EventKind::kRtuReceived);
}

TEST_CASE("cm retries: when patience ends the REQ is repeated, and in the end given up", "[cm][retry][mra]") {
  Connected pair(1, false);
  const cm::Id at_b = request(pair);
  const cm::Id at_a = pair.a.expect(EventKind::kReqReceived).id;
  REQUIRE(pair.a.manager().send_mra(pair.network.now(), at_a, 20, MraWhen::kNow, {}));
  pair.network.settle();
  pair.b.expect(EventKind::kMraReceived);
  pair.network.loses = all_of_kind<cm::Mra>();  // the answer to repetitions
  pair.network.run_for(Duration::s(200));
  pair.b.expect(EventKind::kReqError);
  CHECK(pair.b.state(at_b) == State::kIdle);
  CHECK(pair.a.manager().counters().duplicates == 15);
}

TEST_CASE("cm retries: a quiet MRA is sent only when the peer repeats itself", "[cm][retry][mra]") {
  Connected pair(1, false);
  request(pair);
  const cm::Id at_a = pair.a.expect(EventKind::kReqReceived).id;
  const std::size_t before = pair.network.sent();
  REQUIRE(pair.a.manager().send_mra(pair.network.now(), at_a, 24, MraWhen::kOnRepetition, {}));
  pair.network.settle();
  CHECK(pair.network.sent() == before);
  pair.network.run_for(Duration::s(8));
  pair.b.expect(EventKind::kMraReceived);
  CHECK(pair.network.sent() == before + 2);
  CHECK(pair.a.silent());
}

TEST_CASE("cm retries: a peer cannot ask for hours", "[cm][retry][hostile]") {
  Connected pair(1, false);
  const cm::Id at_b = request(pair);
  const cm::Id at_a = pair.a.expect(EventKind::kReqReceived).id;
  REQUIRE(pair.a.manager().send_mra(pair.network.now(), at_a, 31, MraWhen::kNow, {}));
  pair.network.settle();
  REQUIRE(pair.b.manager().next_timeout().has_value());
  CHECK(*pair.b.manager().next_timeout() - pair.network.now() <= Duration::s(600));
  CHECK(pair.b.state(at_b) == State::kMraReqRcvd);
}

TEST_CASE("cm retries: a consumer hears of a repeated message once", "[cm][retry][duplicates]") {
  Connected pair(1, false);
  pair.network.faults.repeat_percent = 100;
  const cm::Id at_b = request(pair);
  const cm::Id at_a = pair.a.expect(EventKind::kReqReceived).id;
  CHECK(pair.a.silent());
  cm::RepParam rep;
  rep.qpn = 0x10011;
  REQUIRE(pair.a.manager().send_rep(pair.network.now(), at_a, rep));
  pair.network.settle();
  pair.b.expect(EventKind::kRepReceived);
  CHECK(pair.b.silent());
  REQUIRE(pair.b.manager().send_rtu(pair.network.now(), at_b, {}));
  pair.network.settle();
  pair.a.expect(EventKind::kRtuReceived);
  REQUIRE(pair.b.manager().send_dreq(pair.network.now(), at_b, {}));
  pair.network.settle();
  pair.a.expect(EventKind::kDreqReceived);
  CHECK(pair.a.silent());
  REQUIRE(pair.a.manager().send_drep(pair.network.now(), at_a, {}));
  pair.network.settle();
  pair.b.expect(EventKind::kDrepReceived);
  CHECK(pair.b.silent());
  CHECK(pair.a.manager().counters().duplicates > 0);
}

TEST_CASE("cm retries: a late REQ of a connection in timewait is stale", "[cm][retry][duplicates]") {
  Connected pair;
  const auto param = request_to(pair.b, pair.a, kService, 0x20011);
  REQUIRE(pair.b.manager().send_dreq(pair.network.now(), pair.at_b, {}));
  pair.network.settle();
  pair.a.expect(EventKind::kDreqReceived);
  REQUIRE(pair.a.manager().send_drep(pair.network.now(), pair.at_a, {}));
  pair.network.settle();
  cm::Req late;
  late.local_comm_id = static_cast<std::uint32_t>(pair.at_b);
  late.local_ca_guid = 0xbbbb;
  late.service_id = kService;
  late.local_qpn = 0x20011;
  late.path_mtu = 3;
  late.primary.local_gid = param.path.source_gid;
  late.primary.remote_gid = param.path.destination_gid;
  std::optional<cm::Rej> rej;
  pair.network.loses = [&rej](const cm::Mad& mad) {
    if (const auto* said = std::get_if<cm::Rej>(&mad.message)) rej = *said;
    return true;
  };
  forge(pair.network, pair.b, pair.a, late);
  CHECK(pair.a.silent());
  REQUIRE(rej.has_value());
  CHECK(rej->reason == cm::RejectReason::kStaleConnection);
}

TEST_CASE("cm retries: the codes of timeouts are the kernel's", "[cm][retry]") {
  CHECK(cm::timeout_of(0) == Duration::ns(4096));
  CHECK(cm::timeout_of(20).count_ms() == 4294);
  // What Linux puts in a REQ of RoCE: a life time of 16 (4 us * 2^16) and its device's delay.
  CHECK(cm::ack_timeout_code(0, 16) == 17);
  CHECK(cm::ack_timeout_code(15, 16) == 17);
  CHECK(cm::ack_timeout_code(15, 17) == 18);
  CHECK(cm::ack_timeout_code(15, 18) == 19);
  CHECK(cm::ack_timeout_code(17, 16) == 18);
  CHECK(cm::ack_timeout_code(19, 16) == 19);
  CHECK(cm::ack_timeout_code(18, 16) == 19);
  CHECK(cm::ack_timeout_code(31, 31) == 31);
}

}  // namespace rocelab::test
