// Service id resolution: one question, one answer.
#include "tests/cm/harness/network.h"
#include "tests/support/catch.h"

namespace rocelab::test {

using cm::EventKind;
using cm::State;

namespace {

constexpr std::uint64_t kUdp = cm::service_id(cm::PortSpace::kUdp, 7174);

cm::Id ask(Connected& pair, std::uint64_t service = kUdp) {
  const cm::Id id = pair.b.create();
  cm::SidrReqParam param;
  param.service_id = service;
  param.path = path_between(pair.b, pair.a);
  REQUIRE(pair.b.manager().send_sidr_req(pair.network.now(), id, param));
  pair.network.settle();
  return id;
}

Connected listening() { return Connected(1, false); }

}  // namespace

TEST_CASE("cm sidr: who listens says its QP and Q_Key", "[cm][sidr]") {
  auto pair = listening();
  REQUIRE(pair.a.manager().listen(pair.a.create(), {kUdp, cm::kExactService, {}, {}}));
  const cm::Id at_b = ask(pair);
  const cm::Event asked = pair.a.expect(EventKind::kSidrReqReceived);
  CHECK(asked.path.destination_gid == pair.b.gid());
  CHECK(std::get<cm::SidrReq>(asked.message).service_id == kUdp);
  const std::array words = {std::byte{'h'}, std::byte{'i'}};
  cm::SidrRepParam rep{cm::SidrStatus::kSuccess, 0x10022, 0x1234'5678, {}, words};
  REQUIRE(pair.a.manager().send_sidr_rep(pair.network.now(), asked.id, rep));
  pair.network.settle();
  const cm::Event told = pair.b.expect(EventKind::kSidrRepReceived);
  const auto& answer = std::get<cm::SidrRep>(told.message);
  CHECK(told.id == at_b);
  CHECK(answer.status == cm::SidrStatus::kSuccess);
  CHECK(answer.qpn == 0x10022);
  CHECK(answer.qkey == 0x1234'5678);
  CHECK(answer.service_id == kUdp);
  CHECK(answer.private_data.bytes[1] == std::byte{'i'});
  CHECK(pair.b.manager().info(at_b)->remote_qpn == 0x10022);
  CHECK(pair.a.state(asked.id) == State::kIdle);
  CHECK(pair.b.state(at_b) == State::kIdle);
  const std::size_t sent = pair.network.sent();
  pair.network.run_for(Duration::s(100));
  CHECK(pair.network.sent() == sent);
}

TEST_CASE("cm sidr: nobody listens, or the consumer will not", "[cm][sidr]") {
  auto pair = listening();
  const cm::Id first = ask(pair);
  CHECK(std::get<cm::SidrRep>(pair.b.expect(EventKind::kSidrRepReceived).message).status ==
        cm::SidrStatus::kUnsupported);
  CHECK(pair.b.state(first) == State::kIdle);
  const cm::Id listener = pair.a.create();
  REQUIRE(pair.a.manager().listen(listener, {kUdp, cm::kExactService, {}, {}}));
  ask(pair);
  const cm::Event asked = pair.a.expect(EventKind::kSidrReqReceived);
  REQUIRE(pair.a.manager().destroy_id(pair.network.now(), asked.id));
  pair.network.settle();
  CHECK(std::get<cm::SidrRep>(pair.b.expect(EventKind::kSidrRepReceived).message).status == cm::SidrStatus::kRejected);
  CHECK(pair.a.manager().id_count() == 2);
}

TEST_CASE("cm sidr: a lost question is repeated, a lost answer is given again without the consumer",
          "[cm][sidr][loss]") {
  auto pair = listening();
  REQUIRE(pair.a.manager().listen(pair.a.create(), {kUdp, cm::kExactService, {}, {}}));
  int questions = 2, answers = 1;
  pair.network.loses = [&](const cm::Mad& mad) {
    if (std::holds_alternative<cm::SidrReq>(mad.message)) return questions-- > 0;
    return std::holds_alternative<cm::SidrRep>(mad.message) && answers-- > 0;
  };
  const cm::Id at_b = ask(pair);
  pair.network.run_for(Duration::s(9));
  const cm::Event asked = pair.a.expect(EventKind::kSidrReqReceived);
  REQUIRE(pair.a.manager().send_sidr_rep(pair.network.now(), asked.id, {cm::SidrStatus::kSuccess, 5, 6, {}, {}}));
  REQUIRE(pair.a.manager().destroy_id(pair.network.now(), asked.id));
  pair.network.run_for(Duration::s(9));
  CHECK(std::get<cm::SidrRep>(pair.b.expect(EventKind::kSidrRepReceived).message).qpn == 5);
  CHECK(pair.b.state(at_b) == State::kIdle);
  CHECK(pair.a.silent());
  CHECK(pair.a.manager().counters().duplicates == 1);
}

TEST_CASE("cm sidr: a consumer that thinks is asked once", "[cm][sidr][duplicates]") {
  auto pair = listening();
  REQUIRE(pair.a.manager().listen(pair.a.create(), {kUdp, cm::kExactService, {}, {}}));
  ask(pair);
  pair.network.run_for(Duration::s(20));
  pair.a.expect(EventKind::kSidrReqReceived);
  CHECK(pair.a.silent());
  CHECK(pair.a.manager().counters().duplicates == 4);
}

TEST_CASE("cm sidr: a question without an answer is given up", "[cm][sidr][retry]") {
  auto pair = listening();
  pair.network.loses = [](const cm::Mad&) { return true; };
  const cm::Id at_b = ask(pair);
  pair.network.run_for(Duration::s(80));
  pair.b.expect(EventKind::kSidrReqError);
  CHECK(pair.b.state(at_b) == State::kIdle);
  CHECK(pair.network.sent() == 16);
}

TEST_CASE("cm sidr: an answer of somebody else is none", "[cm][sidr][hostile]") {
  auto pair = listening();
  pair.network.loses = [](const cm::Mad&) { return true; };
  const cm::Id at_b = ask(pair);
  Node& stranger = pair.network.add({9, 0xcccc, 0x0a4d'0009, 100, 100});
  cm::SidrRep rep;
  rep.request_id = static_cast<std::uint32_t>(at_b);
  forge(pair.network, stranger, pair.b, rep);
  CHECK(pair.b.silent());
  CHECK(pair.b.state(at_b) == State::kSidrReqSent);
}

}  // namespace rocelab::test
