// Requests that are not taken: by the consumer on either side, by nobody's listening, by a limit, by a stale
// connection.
#include "tests/cm/harness/network.h"
#include "tests/support/catch.h"

namespace rocelab::test {

using cm::EventKind;
using cm::RejectReason;
using cm::State;

namespace {

RejectReason reason_of(const cm::Event& event) { return std::get<cm::Rej>(event.message).reason; }

cm::Id request(Connected& pair, std::uint64_t service = kService, std::uint32_t qpn = 0x20011) {
  const cm::Id id = pair.b.create();
  REQUIRE(pair.b.manager().send_req(pair.network.now(), id, request_to(pair.b, pair.a, service, qpn)));
  pair.network.settle();
  return id;
}

}  // namespace

TEST_CASE("cm refusals: the passive consumer refuses, with its reason and its words", "[cm][refuse]") {
  Connected pair(1, false);
  const cm::Id id = request(pair);
  const cm::Id at_a = pair.a.expect(EventKind::kReqReceived).id;
  const std::array words = {std::byte{'n'}, std::byte{'o'}};
  REQUIRE(pair.a.manager().send_rej(pair.network.now(), at_a, {RejectReason::kConsumerDefined, words, words}));
  pair.network.settle();
  const cm::Event refused = pair.b.expect(EventKind::kRejReceived);
  const auto& rej = std::get<cm::Rej>(refused.message);
  CHECK(rej.reason == RejectReason::kConsumerDefined);
  CHECK(rej.info_size == 2);
  CHECK(rej.info[1] == std::byte{'o'});
  CHECK(rej.private_data.bytes[0] == std::byte{'n'});
  CHECK(rej.answered == cm::Answered::kReq);
  CHECK(pair.a.state(at_a) == State::kIdle);
  CHECK(pair.b.state(id) == State::kIdle);
  // The id may try again.
  REQUIRE(pair.b.manager().send_req(pair.network.now(), id, request_to(pair.b, pair.a, kService, 0x20011)));
  pair.network.settle();
  pair.a.expect(EventKind::kReqReceived);
}

TEST_CASE("cm refusals: the active consumer refuses a REP", "[cm][refuse]") {
  const bool after_mra = GENERATE(false, true);
  Connected pair(1, false);
  const cm::Id id = request(pair);
  const cm::Id at_a = pair.a.expect(EventKind::kReqReceived).id;
  REQUIRE(pair.a.manager().send_rep(pair.network.now(), at_a, {}));
  pair.network.settle();
  pair.b.expect(EventKind::kRepReceived);
  if (after_mra) REQUIRE(pair.b.manager().send_mra(pair.network.now(), id, 20, cm::MraWhen::kOnRepetition, {}));
  REQUIRE(pair.b.manager().send_rej(pair.network.now(), id, {RejectReason::kConsumerDefined, {}, {}}));
  pair.network.settle();
  const cm::Event refused = pair.a.expect(EventKind::kRejReceived);
  CHECK(std::get<cm::Rej>(refused.message).answered == cm::Answered::kRep);
  CHECK(pair.a.state(at_a) == State::kIdle);
  CHECK(pair.b.state(id) == State::kIdle);
}

TEST_CASE("cm refusals: nobody listens, and exactly one of a host's processes says so", "[cm][refuse][host]") {
  Network network;
  Node& client = network.add({9, 0xcccc, 0x0a4d'0009, 100, 100});
  std::vector<Node*> host;
  for (std::uint8_t slot = 3; slot < 7; ++slot) {
    host.push_back(&network.add({slot, 0xaaaa, 0x0a4d'0001, 100, 100}));
  }
  const auto ask = [&] {
    const std::size_t before = network.sent();
    const cm::Id id = client.create();
    REQUIRE(client.manager().send_req(network.now(), id, request_to(client, *host[0], kService, 1)));
    network.settle();
    CHECK(network.sent() == before + 2);
    CHECK(reason_of(client.expect(EventKind::kRejReceived)) == RejectReason::kInvalidServiceId);
  };
  ask();
  host[0]->alive = false;  // the next one speaks
  ask();
  CHECK(host[1]->manager().counters().no_listener == 1);
  CHECK(host[2]->manager().counters().no_listener == 0);
}

TEST_CASE("cm refusals: a request goes to the process that has said it listens, and to no other",
          "[cm][refuse][host]") {
  Network network;
  Node& client = network.add({9, 0xcccc, 0x0a4d'0009, 100, 100});
  Node& first = network.add({3, 0xaaaa, 0x0a4d'0001, 100, 100});
  Node& second = network.add({4, 0xaaaa, 0x0a4d'0001, 100, 100});
  const cm::Service service{kService, cm::kExactService, {}, {}};
  REQUIRE(second.manager().listen(second.create(), service));
  second.published.push_back(service);
  const cm::Id id = client.create();
  REQUIRE(client.manager().send_req(network.now(), id, request_to(client, first, kService, 1)));
  network.settle();
  CHECK(client.silent());
  CHECK(first.silent());
  CHECK(first.manager().counters().not_ours == 1);
  second.expect(EventKind::kReqReceived);
}

TEST_CASE("cm refusals: a request that cannot be right is refused with what is wrong", "[cm][refuse][hostile]") {
  Connected pair(1, false);
  cm::Req req;
  req.local_comm_id = 0x0200'0001;
  req.service_id = kService;
  req.local_ca_guid = 0xbbbb;
  req.local_qpn = 5;
  req.path_mtu = 3;
  req.primary.local_gid = pair.b.gid();
  req.primary.remote_gid = pair.a.gid();
  auto expected = RejectReason::kInvalidGid;
  SECTION("its connection would send packets to somebody else") {
    req.primary.local_gid = wire::Gid::from_ipv4(0x0a4d'0003);
  }
  SECTION("it is for another address of ours than it came to") {
    req.primary.remote_gid = wire::Gid::from_ipv4(0x0a4d'0003);
  }
  SECTION("a path MTU that there is not") {
    req.path_mtu = GENERATE(std::uint8_t{0}, std::uint8_t{6}, std::uint8_t{15});
    expected = RejectReason::kInvalidMtu;
  }
  SECTION("reliable datagrams") {
    req.transport = cm::Transport::kRd;
    expected = RejectReason::kInvalidTransport;
  }
  SECTION("an extended transport that there is not") {
    req.transport = cm::Transport::kXrc;
    req.extended_transport = 3;
    expected = RejectReason::kInvalidTransport;
  }
  std::optional<cm::Rej> rej;
  pair.network.loses = [&rej](const cm::Mad& mad) {
    if (const auto* said = std::get_if<cm::Rej>(&mad.message)) rej = *said;
    return true;
  };
  forge(pair.network, pair.b, pair.a, req);
  pair.network.settle();
  CHECK(pair.a.silent());
  REQUIRE(rej.has_value());
  CHECK(rej->reason == expected);
  CHECK(rej->remote_comm_id == req.local_comm_id);
  CHECK(pair.a.manager().id_count() == 1);
}

TEST_CASE("cm refusals: a REQ whose QP we know in another connection ends that one", "[cm][refuse][stale]") {
  Connected pair;
  // The peer's process was killed and another one has its QP's number: nobody knows of the old connection there.
  Node& b = pair.b;
  const cm::Id id = b.create();
  REQUIRE(b.manager().send_req(pair.network.now(), id, request_to(b, pair.a, kService, 0x20011)));
  pair.network.settle();
  CHECK(reason_of(b.expect(EventKind::kRejReceived)) == RejectReason::kStaleConnection);
  CHECK(b.state(id) == State::kTimewait);
  CHECK(pair.a.manager().counters().stale == 1);
  b.expect(EventKind::kDreqReceived);  // here the peer does know it
  REQUIRE(b.manager().send_drep(pair.network.now(), pair.at_b, {}));
  pair.network.settle();
  pair.a.expect(EventKind::kDrepReceived);
  pair.network.run_for(Duration::s(5));
  // And now there is room.
  REQUIRE(b.manager().send_req(pair.network.now(), id, request_to(b, pair.a, kService, 0x20011)));
  pair.network.settle();
  pair.a.events.erase(pair.a.events.begin());  // timewait is over
  pair.a.expect(EventKind::kReqReceived);
}

TEST_CASE("cm refusals: beyond the limit of ids there is no room, and afterwards there is", "[cm][refuse][limits]") {
  Network network;
  Node& a = network.add({1, 0xaaaa, 0x0a4d'0001, 3, 100});
  Node& b = network.add({2, 0xbbbb, 0x0a4d'0002, 100, 100});
  REQUIRE(a.manager().listen(a.create(), {kService, cm::kExactService, {}, {}}));
  for (std::uint32_t i = 0; i < 3; ++i) {
    REQUIRE(b.manager().send_req(network.now(), b.create(), request_to(b, a, kService, 0x20000 + i)));
    network.settle();
  }
  const cm::Id first = a.expect(EventKind::kReqReceived).id;
  a.expect(EventKind::kReqReceived);
  CHECK(a.silent());
  CHECK(reason_of(b.expect(EventKind::kRejReceived)) == RejectReason::kNoResources);
  CHECK(a.manager().create_id(nullptr).error().code == ENOMEM);
  REQUIRE(a.manager().destroy_id(network.now(), first));
  CHECK(a.manager().create_id(nullptr).has_value());
}

TEST_CASE("cm refusals: requests that nobody fetches are dropped beyond a limit", "[cm][refuse][limits]") {
  // A Manager of its own: the network fetches events at once.
  Network network;
  Node& b = network.add({2, 0xbbbb, 0x0a4d'0002, 100, 100});
  cm::ManagerOptions options{1};
  options.events_max = 2;
  cm::Manager manager(options, b);
  REQUIRE(manager.listen(*manager.create_id(nullptr), {kService, cm::kExactService, {}, {}}));
  for (std::uint32_t i = 0; i < 4; ++i) {
    cm::Req req;
    req.local_comm_id = 0x0300'0000 + i;
    req.service_id = kService;
    req.local_qpn = i;
    req.path_mtu = 3;
    req.primary.local_gid = wire::Gid::from_ipv4(7);
    req.primary.remote_gid = b.gid();
    std::array<std::byte, cm::kMadBytes> bytes;
    cm::emit_mad({1, req}, bytes);
    wire::Path path;
    path.source_gid = req.primary.local_gid;
    path.destination_gid = b.gid();
    manager.handle_mad(network.now(), path, bytes);
  }
  CHECK(manager.id_count() == 3);
  CHECK(manager.counters().dropped == 2);
  // The listener goes, and with it whom it has heard: each is refused.
  const auto event = manager.poll_event();
  REQUIRE(event.has_value());
  REQUIRE(manager.destroy_id(network.now(), event->listener));
  CHECK_FALSE(manager.has_event());
  std::size_t refusals = 0;
  for (; manager.next_send() != nullptr; manager.pop_send()) ++refusals;
  CHECK(refusals == 1);
  CHECK(manager.id_count() == 1);  // the one that has been fetched is its consumer's
}

}  // namespace rocelab::test
