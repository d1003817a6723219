// What the soak posts: random requests with everything that must come of them entered in the bookkeeping (flow.h).
#pragma once

#include <cstdint>
#include <string>

#include "base/rng.h"
#include "tests/rxe/soak/flow.h"

namespace rocelab::test::soak {

QpOptions random_options(base::Rng& rng, rxe::QpType type);
/// 24 bits, often close to the wrap.
std::uint32_t random_psn(base::Rng& rng);

/// One random request on a flow. Errors are sentences; a full queue or pool is none.
struct Traffic {
  base::Rng& rng;
  Flow& flow;
  rxe::AhId to_peer;
  std::size_t shared_word;

  std::string post();

 private:
  std::string post_send();
  std::string post_write();
  std::string post_read();
  std::string post_store();
  std::string post_atomic();
  std::string post_shared_add();
  std::string post_bind();
  std::string submit(Work& work, Operation&& operation);
  std::size_t random_length();
  void add_source(Work& work, const Piece& source);
};

/// Posts receives for messages that have none yet: all of them, or (to provoke RNR) only some.
std::string post_missing_receives(base::Rng& rng, Flow& flow, bool all);

/// A request that must fail: a wrong rkey, a range beyond the region, or a wrong lkey. False: no room.
bool post_bad_access(base::Rng& rng, Flow& flow);

}  // namespace rocelab::test::soak
