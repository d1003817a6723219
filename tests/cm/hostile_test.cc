// Datagrams that are not what they say: of strangers, for other ids, of other connections, without sense.
#include "tests/cm/harness/network.h"
#include "tests/cm/random_message.h"
#include "tests/support/catch.h"

namespace rocelab::test {

using cm::EventKind;
using cm::State;

namespace {

std::uint32_t number(cm::Id id) { return static_cast<std::uint32_t>(id); }

}  // namespace

TEST_CASE("cm hostile: a stranger who knows the numbers changes nothing", "[cm][hostile]") {
  Connected pair;
  Node& stranger = pair.network.add({9, 0xcccc, 0x0a4d'0009, 100, 100});
  const std::uint32_t at_a = number(pair.at_a), at_b = number(pair.at_b);
  cm::Rej rej;
  rej.local_comm_id = at_b;
  rej.remote_comm_id = at_a;
  rej.answered = GENERATE(cm::Answered::kReq, cm::Answered::kRep, cm::Answered::kOther);
  rej.reason =
      GENERATE(cm::RejectReason::kConsumerDefined, cm::RejectReason::kStaleConnection, cm::RejectReason::kTimeout);
  rej.info_size = 8;
  rej.info[6] = rej.info[7] = std::byte{0xbb};
  forge(pair.network, stranger, pair.a, rej);
  forge(pair.network, stranger, pair.a, cm::Dreq{at_b, at_a, 0x10011, {}});
  forge(pair.network, stranger, pair.a, cm::Drep{at_b, at_a, {}});
  forge(pair.network, stranger, pair.a, cm::Rtu{at_b, at_a, {}});
  pair.network.settle();
  CHECK(pair.a.silent());
  CHECK(pair.a.state(pair.at_a) == State::kEstablished);
}

TEST_CASE("cm hostile: a DREQ must name the QP, and whoever sends it its own number", "[cm][hostile]") {
  Connected pair;
  const std::uint32_t at_a = number(pair.at_a), at_b = number(pair.at_b);
  forge(pair.network, pair.b, pair.a, cm::Dreq{at_b, at_a, 0x10012, {}});
  forge(pair.network, pair.b, pair.a, cm::Dreq{at_b + 1, at_a, 0x10011, {}});
  forge(pair.network, pair.b, pair.a, cm::Dreq{at_b, at_a + 1, 0x10011, {}});
  pair.network.settle();
  CHECK(pair.a.silent());
  CHECK(pair.a.state(pair.at_a) == State::kEstablished);
}

TEST_CASE("cm hostile: a REJ of a REQ cannot end what is established", "[cm][hostile]") {
  Connected pair;
  cm::Rej rej;
  rej.remote_comm_id = number(pair.at_b);
  rej.reason = cm::RejectReason::kInvalidServiceId;
  forge(pair.network, pair.a, pair.b, rej);  // as a late duplicate would
  CHECK(pair.b.silent());
  CHECK(pair.b.state(pair.at_b) == State::kEstablished);
}

TEST_CASE("cm hostile: a second REP with another number is not that of the connection", "[cm][hostile]") {
  Connected pair;
  cm::Rep rep;
  rep.local_comm_id = number(pair.at_a) + 1;
  rep.remote_comm_id = number(pair.at_b);
  rep.local_ca_guid = 0xaaaa;
  rep.local_qpn = 0x10099;
  forge(pair.network, pair.a, pair.b, rep);
  CHECK(pair.b.silent());
  CHECK(pair.b.manager().info(pair.at_b)->remote_qpn == 0x10011);
}

TEST_CASE("cm hostile: an RTU to the active side, an MRA of nothing and an APR are ignored", "[cm][hostile]") {
  Connected pair;
  const std::uint32_t at_a = number(pair.at_a), at_b = number(pair.at_b);
  forge(pair.network, pair.a, pair.b, cm::Rtu{at_a, at_b, {}});
  forge(pair.network, pair.a, pair.b, cm::Mra{at_a, at_b, cm::Answered::kReq, 31, {}});
  forge(pair.network, pair.a, pair.b, cm::Mra{at_a, at_b, cm::Answered::kOther, 31, {}});
  forge(pair.network, pair.a, pair.b, cm::Mra{at_a, at_b, static_cast<cm::Answered>(3), 31, {}});
  cm::Apr apr;
  apr.local_comm_id = at_a;
  apr.remote_comm_id = at_b;
  forge(pair.network, pair.a, pair.b, apr);
  CHECK(pair.b.silent());
  CHECK(pair.b.manager().counters().out_of_state == 5);
  CHECK(pair.b.state(pair.at_b) == State::kEstablished);
}

TEST_CASE("cm hostile: any message in any state leaves the invariants", "[cm][hostile]") {
  // Random fields, but for the numbers, which are sometimes right.
  Connected pair;
  base::Rng rng(GENERATE(1u, 2u, 3u, 4u), "hostile");
  const std::uint32_t at_a = number(pair.at_a), at_b = number(pair.at_b);
  pair.network.faults.loss_percent = 30;
  for (int i = 0; i < 3000; ++i) {
    cm::Message message = random_message(rng, rng.below(kMessageKinds));
    std::visit(
        [&](auto& m) {
          if constexpr (requires { m.remote_comm_id; }) {
            if (rng.chance(2, 3)) m.remote_comm_id = at_a + static_cast<std::uint32_t>(rng.below(4));
            if (rng.chance(2, 3)) m.local_comm_id = at_b;
          }
          if constexpr (requires {
                          m.service_id;
                          m.local_comm_id;
                        }) {
            if (rng.chance(2, 3)) m.service_id = kService;
            if (rng.chance(1, 2)) {
              m.primary.local_gid = pair.b.gid();
              m.primary.remote_gid = pair.a.gid();
              m.path_mtu = 3;
            }
          }
        },
        message);
    forge(pair.network, pair.b, pair.a, message);
    if (rng.chance(1, 4)) pair.network.run_for(Duration::ms(static_cast<std::int64_t>(rng.below(3000))));
    for (const cm::Event& event : pair.a.events) {
      if (rng.chance(1, 2)) {
        static_cast<void>(pair.a.manager().send_rep(pair.network.now(), event.id, {}));
      } else {
        static_cast<void>(pair.a.manager().destroy_id(pair.network.now(), event.id));
      }
    }
    pair.a.events.clear();
  }
  // Whoever is given up by all is gone in the end.
  pair.a.manager().destroy_all(pair.network.now());
  pair.network.run_for(Duration::s(2000));
  CHECK(pair.a.manager().id_count() == 0);
  CHECK_FALSE(pair.a.manager().next_timeout().has_value());
}

TEST_CASE("cm hostile: what is no message at all is counted", "[cm][hostile]") {
  Connected pair;
  const std::vector<std::byte> zero(cm::kMadBytes);
  pair.network.inject(path_between(pair.b, pair.a), zero);
  pair.network.inject(path_between(pair.b, pair.a), {});
  CHECK(pair.a.manager().counters().malformed == 2);
}

}  // namespace rocelab::test
