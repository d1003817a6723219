// Assertions over endpoints, for Catch2 tests only (the soak and the fuzzers use the harness without Catch2).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "tests/rxe/harness/endpoint.h"
#include "tests/support/catch.h"

namespace rocelab::test {

using Lines = std::vector<std::string>;
using Numbers = std::initializer_list<std::uint8_t>;

/// The next completion of the queue is this request's, with this status.
inline rxe::Completion expect_completion(Endpoint& endpoint, rxe::CqId cq, std::uint64_t wr_id, rxe::WcStatus status) {
  const auto completion = endpoint.poll(cq);
  INFO("expected a completion of wr_id " << wr_id << " at side " << endpoint.side.number);
  REQUIRE(completion.has_value());
  CHECK(completion->wr_id == wr_id);
  CHECK(static_cast<int>(completion->status) == static_cast<int>(status));
  CHECK(completion->qp_num == (cq == endpoint.recv_cq ? endpoint.receiving_qpn() : endpoint.qpn));
  return *completion;
}

inline rxe::Completion expect_sent(Endpoint& endpoint, std::uint64_t wr_id,
                                   rxe::WcStatus status = rxe::WcStatus::kSuccess) {
  return expect_completion(endpoint, endpoint.send_cq, wr_id, status);
}

inline rxe::Completion expect_received(Endpoint& endpoint, std::uint64_t wr_id,
                                       rxe::WcStatus status = rxe::WcStatus::kSuccess) {
  return expect_completion(endpoint, endpoint.recv_cq, wr_id, status);
}

/// No completion waits on either queue.
inline void expect_nothing(Endpoint& endpoint) {
  INFO("side " << endpoint.side.number);
  const auto sent = endpoint.poll(endpoint.send_cq);
  if (sent) INFO("unexpected send completion of wr_id " << sent->wr_id << " status " << static_cast<int>(sent->status));
  CHECK_FALSE(sent.has_value());
  const auto received = endpoint.poll(endpoint.recv_cq);
  CHECK_FALSE(received.has_value());
}

/// Drives to rest and demands that the engines kept their promises on the way.
inline void settle(Pair& pair) {
  REQUIRE(pair.drive());
  CHECK(pair.a.complaint.empty());
  CHECK(pair.b.complaint.empty());
}

inline void expect_guards(const Connection& connection) {
  CHECK(connection.a.memory.guards_intact());
  CHECK(connection.b.memory.guards_intact());
}

inline int code_of(const base::Result<void>& result) { return result ? 0 : result.error().code; }
template <class T>
int code_of(const base::Result<T>& result) {
  return result ? 0 : result.error().code;
}

}  // namespace rocelab::test
