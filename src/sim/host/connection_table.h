// The connections of a host as plain data, known before any engine exists: who is at the other end, under which
// numbers, and the requests that have been posted and not completed. The QP number of connection i is kFlowQpnFirst + i
// on every host, so that two hosts agree on numbers without an exchange. Owned by Host.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "rxe/types.h"
#include "sim/host/host_options.h"
#include "sim/kernel/event.h"

namespace rocelab::sim {

inline constexpr rxe::Qpn kFlowQpnFirst = 0x100;

/// A request as a flow posts it.
struct FlowRequest {
  std::uint64_t bytes = 0;
  std::uint64_t user = 0;
  rxe::SendOpcode opcode = rxe::SendOpcode::kRdmaWrite;
  std::uint32_t immediate = 0;
};

enum class ConnectionState : std::uint8_t {
  kPlanned,  ///< no QP yet
  kOpen,
  kClosed,  ///< its QP is gone for good
};

inline constexpr std::uint32_t kNoRequest = ~0u;

struct Connection {
  const ConnectionOptions* options = nullptr;
  FlowOwner* owner = nullptr;
  NodeId peer = kNoNode;
  rxe::Qpn peer_qpn = 0;
  std::uint64_t source_arena = 0;       ///< in this host's memory: what is sent, or read by the peer
  std::uint64_t sink_arena = 0;         ///< what arrives here
  std::uint64_t peer_source_arena = 0;  ///< in the peer's
  std::uint64_t peer_sink_arena = 0;
  std::uint32_t first_request = kNoRequest;  ///< oldest that is not complete, in the table of requests
  std::uint32_t last_request = kNoRequest;
  std::uint32_t next_request = kNoRequest;  ///< first that the engine does not have yet
  std::uint16_t in_engine = 0;              ///< requests that it has
  ConnectionState state = ConnectionState::kPlanned;
  bool single_message = false;
  bool lingers = false;               ///< a kLinger event is on its way
  std::uint32_t written = 0;          ///< longest WRITE or SEND completed: what the check compares at the peer
  std::uint32_t read = 0;             ///< longest READ completed: what the check compares here
  std::uint32_t resent_before = 0;    ///< what the engine had sent again when the last request completed
  std::uint32_t resent_last = 0;      ///< and since the completion before that one
  std::uint64_t last_arrival_ps = 0;  ///< of single-message connections: when a packet last came
};

class ConnectionTable {
 public:
  std::size_t size() const { return connections_.size(); }
  Connection& at(ConnectionId id) { return connections_[id]; }
  const Connection& at(ConnectionId id) const { return connections_[id]; }
  /// nullptr: no connection has this QP number.
  Connection* find(rxe::Qpn qpn) {
    const std::uint32_t index = qpn - kFlowQpnFirst;
    return index < connections_.size() ? &connections_[index] : nullptr;
  }
  static rxe::Qpn qpn_of(ConnectionId id) { return kFlowQpnFirst + id; }
  static ConnectionId id_of(rxe::Qpn qpn) { return qpn - kFlowQpnFirst; }

  ConnectionId add(const ConnectionOptions& options, FlowOwner* owner, NodeId peer);
  /// Bytes of memory that all arenas take.
  std::uint64_t memory_bytes() const { return memory_bytes_; }

  struct Request {
    FlowRequest what;
    std::uint32_t next = kNoRequest;
    bool outstanding = false;  ///< posted and not completed
  };
  Request& request(std::uint32_t index) { return requests_[index]; }
  std::uint32_t request_count() const { return static_cast<std::uint32_t>(requests_.size()); }
  /// Adds to the connection's list; returns its index.
  std::uint32_t push(Connection& connection, const FlowRequest& what);
  /// Takes out the oldest request of the connection, which must have one.
  FlowRequest pop(Connection& connection);

 private:
  std::vector<Connection> connections_;
  std::vector<Request> requests_;
  std::uint32_t free_request_ = kNoRequest;
  std::uint64_t memory_bytes_ = 0;
};

}  // namespace rocelab::sim
