// Connections from REQ to RTU, with and without losses; what each side knows afterwards.
#include "tests/cm/harness/network.h"
#include "tests/support/catch.h"

namespace rocelab::test {

using cm::Attribute;
using cm::EventKind;
using cm::State;

namespace {

/// Loses the first `count` messages of a kind.
struct LosesFirst {
  Attribute what;
  int count;
  bool operator()(const cm::Mad& mad) { return attribute_of(mad.message) == what && count-- > 0; }
};

std::vector<std::byte> text(const char* words) {
  std::vector<std::byte> bytes;
  for (; *words != '\0'; ++words) bytes.push_back(static_cast<std::byte>(*words));
  return bytes;
}

bool begins(const cm::PrivateData& data, const std::vector<std::byte>& with) {
  return data.size >= with.size() && std::equal(with.begin(), with.end(), data.bytes.begin());
}

}  // namespace

TEST_CASE("cm: a connection is made by REQ, REP and RTU, and both sides know the other's values", "[cm][connect]") {
  Connected pair(1, false);
  std::vector<std::string> log;
  pair.network.log = &log;
  const auto hello = text("hello");
  pair.at_b = pair.b.create();
  auto param = request_to(pair.b, pair.a, kService, 0x20011);
  param.private_data = hello;
  param.rnr_retry_count = 5;
  param.path_mtu = 5;
  REQUIRE(pair.b.manager().send_req(pair.network.now(), pair.at_b, param));
  CHECK(pair.b.state(pair.at_b) == State::kReqSent);
  pair.network.settle();

  const cm::Event request = pair.a.expect(EventKind::kReqReceived);
  CHECK(request.listener == pair.listener);
  CHECK(begins(std::get<cm::Req>(request.message).private_data, hello));
  CHECK(request.path.destination_gid == pair.b.gid());
  CHECK(request.path.destination_mac == wire::MacAddress{2, 0, 0, 0, 0, 2});
  cm::Info at_a = *pair.a.manager().info(request.id);
  CHECK(at_a.remote_qpn == 0x20011);
  CHECK(at_a.send_psn == 0x123456);
  CHECK(at_a.responder_resources == 2);
  CHECK(at_a.initiator_depth == 4);
  CHECK(at_a.path_mtu == 5);
  CHECK(at_a.rnr_retry_count == 5);
  CHECK(at_a.remote_ca_guid == 0xbbbb);

  cm::RepParam rep;
  rep.qpn = 0x10011;
  rep.starting_psn = 0x654321;
  rep.responder_resources = 2;
  rep.initiator_depth = 3;
  rep.rnr_retry_count = 6;
  rep.private_data = hello;
  REQUIRE(pair.a.manager().send_rep(pair.network.now(), request.id, rep));
  pair.network.settle();
  const cm::Event reply = pair.b.expect(EventKind::kRepReceived);
  CHECK(reply.id == pair.at_b);
  CHECK(begins(std::get<cm::Rep>(reply.message).private_data, hello));
  REQUIRE(pair.b.manager().send_rtu(pair.network.now(), pair.at_b, {}));
  pair.network.settle();
  pair.a.expect(EventKind::kRtuReceived);

  const cm::Info at_b = *pair.b.manager().info(pair.at_b);
  CHECK(at_b.state == State::kEstablished);
  CHECK(at_b.remote_qpn == 0x10011);
  CHECK(at_b.send_psn == 0x654321);
  CHECK(at_b.receive_psn == 0x123456);
  CHECK(at_b.initiator_depth == 2);
  CHECK(at_b.responder_resources == 3);
  CHECK(at_b.rnr_retry_count == 6);
  CHECK(pair.a.state(request.id) == State::kEstablished);
  CHECK(pair.a.manager().info(request.id)->receive_psn == 0x654321);
  CHECK(log.size() == 3);
  pair.network.run_for(Duration::s(200));
  CHECK(log.size() == 3);  // nothing is repeated that was answered
}

TEST_CASE("cm: each message of a connection may be lost several times", "[cm][connect][loss]") {
  const Attribute what =
      GENERATE(Attribute::kReq, Attribute::kRep, Attribute::kRtu, Attribute::kDreq, Attribute::kDrep);
  const int times = GENERATE(1, 3);
  Connected pair(1, false);
  pair.network.loses = LosesFirst{what, times};
  pair.a.on_event = [&](const cm::Event& event) {
    if (event.kind == EventKind::kReqReceived) {
      pair.at_a = event.id;
      cm::RepParam rep;
      rep.qpn = 0x10011;
      REQUIRE(pair.a.manager().send_rep(pair.network.now(), event.id, rep));
    }
    if (event.kind == EventKind::kDreqReceived) {
      REQUIRE(pair.a.manager().send_drep(pair.network.now(), event.id, {}));
    }
  };
  pair.b.on_event = [&](const cm::Event& event) {
    if (event.kind == EventKind::kRepReceived) REQUIRE(pair.b.manager().send_rtu(pair.network.now(), event.id, {}));
  };
  pair.at_b = pair.b.create();
  REQUIRE(pair.b.manager().send_req(pair.network.now(), pair.at_b, request_to(pair.b, pair.a, kService, 0x20011)));
  pair.network.run_for(Duration::s(20));
  CHECK(pair.a.state(pair.at_a) == State::kEstablished);
  CHECK(pair.b.state(pair.at_b) == State::kEstablished);
  REQUIRE(pair.b.manager().send_dreq(pair.network.now(), pair.at_b, {}));
  pair.network.run_for(Duration::s(20));
  CHECK(pair.a.state(pair.at_a) == State::kIdle);
  CHECK(pair.b.state(pair.at_b) == State::kIdle);
  // Whatever was repeated, each consumer has heard each thing once.
  std::vector<EventKind> at_a, at_b;
  for (const auto& event : pair.a.events) at_a.push_back(event.kind);
  for (const auto& event : pair.b.events) at_b.push_back(event.kind);
  CHECK(at_a == std::vector{EventKind::kReqReceived, EventKind::kRtuReceived, EventKind::kDreqReceived,
                            EventKind::kTimewaitExit});
  CHECK(at_b == std::vector{EventKind::kRepReceived, EventKind::kDrepReceived, EventKind::kTimewaitExit});
}

}  // namespace rocelab::test
