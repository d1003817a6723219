// What the hosts of a simulation have in common, what two hosts agree on when they are connected, and the events that
// a host understands. Plain values; HostOptions is shared by all hosts of a kind and outlives them.
#pragma once

#include <cstdint>
#include <string_view>

#include "rxe/types.h"
#include "sim/fabric/event_kinds.h"
#include "sim/host/profile.h"

namespace rocelab::sim {

class Host;
class Context;

/// What messages are made of. All three take the same time.
enum class PayloadMode : std::uint8_t {
  kElided,     ///< lengths only: for thousands of hosts
  kReal,       ///< bytes, checked where they arrive
  kWireExact,  ///< every packet is encoded, its ICRC verified by the receiver; can be captured
};

/// Kinds of event of a host; those that scripts schedule carry their meaning in `argument`.
namespace host_event {
inline constexpr std::uint16_t kHalt = event_kind::kFirstOfNode;  ///< 1: the host stops to do anything; 0: goes on
inline constexpr std::uint16_t kReceiveRate = event_kind::kFirstOfNode + 1;  ///< bits/s that it drains at; 0: no limit
inline constexpr std::uint16_t kTimer = event_kind::kFirstOfNode + 2;        ///< a deadline of the engine
inline constexpr std::uint16_t kCompletion = event_kind::kFirstOfNode + 4;   ///< a completion has reached the program
inline constexpr std::uint16_t kReceive = event_kind::kFirstOfNode + 5;      ///< the next packet of the receive buffer
inline constexpr std::uint16_t kPauseRefresh = event_kind::kFirstOfNode + 6;
inline constexpr std::uint16_t kLinger = event_kind::kFirstOfNode + 7;  ///< argument: connection that may be over
inline constexpr std::uint16_t kProcess =
    event_kind::kFirstOfNode + 8;  ///< starts or wakes the process that `port` names
inline constexpr std::uint16_t kNotify = event_kind::kFirstOfNode + 9;  ///< what has happened is visible to processes
inline constexpr std::uint16_t kLoopback = event_kind::kFirstOfNode + 10;  ///< argument: Packet* to this host itself
/// From here on: HostUser::on_event.
inline constexpr std::uint16_t kFirstOfUser = event_kind::kFirstOfNode + 16;
}  // namespace host_event

struct HostOptions {
  std::uint64_t seed;  ///< no default: the owner says where chance comes from
  HostProfile profile;
  PayloadMode payload = PayloadMode::kElided;
  /// Of every host's engine; the host fills in seed, MAC, GUID, QP numbers and the link's rate. The priority of
  /// acknowledgements is here too.
  rxe::DeviceOptions engine{};

  // The NIC's receive buffer, which fills up only when the host is slow or halted.
  std::uint8_t lossless_mask = 0;  ///< priorities that the NIC pauses; others drop when the buffer is full
  std::uint32_t buffer_bytes = 1u << 20;
  std::uint32_t xoff_bytes = 256u << 10;  ///< of one priority: pause above, resume below xon_bytes
  std::uint32_t xon_bytes = 224u << 10;

  /// Data packets ask switches for telemetry (HPCC).
  bool telemetry = false;

  /// kWireExact: a pcapng file a host, this with %h replaced by the host's name. Empty: none.
  std::string_view capture_path;
};

/// Shared by any number of connections; outlives the hosts.
struct ConnectionOptions {
  rxe::QpType type = rxe::QpType::kRc;  ///< or kUc
  rxe::PathMtu mtu = rxe::PathMtu::k1024;
  std::uint8_t priority = 0;       ///< service level, 0 to 7
  std::uint8_t traffic_class = 0;  ///< DSCP << 2; the engine sets ECN
  std::uint8_t gid_index = 0;      ///< 0: RoCE v2, 1: RoCE v1
  std::uint8_t timeout = 14;       ///< local ACK timeout, 4.096 us * 2^timeout
  std::uint8_t retry_cnt = 7;
  std::uint8_t rnr_retry = 7;
  std::uint8_t rd_atomic = 1;       ///< READs outstanding
  std::uint16_t send_depth = 16;    ///< requests given to the engine at a time; more wait in the host
  std::uint16_t receive_depth = 0;  ///< receives kept posted: for messages with notification and SENDs
  bool single_message = false;      ///< both QPs go away when the first message is done (a flow of the HPCC kind)
  /// With real payload: the longest message, for which memory is kept on both sides.
  std::uint64_t message_bytes_max = 1u << 20;
};

using ConnectionId = std::uint32_t;

/// Whom a connection's progress interests. Called inside an event of the host, at the time when the program would know.
class FlowOwner {
 public:
  virtual ~FlowOwner() = default;
  /// A request that was posted with `user` is done.
  virtual void on_complete(Host& host, Context& context, ConnectionId connection, std::uint64_t user,
                           rxe::WcStatus status) = 0;
  /// A message with notification has arrived.
  virtual void on_message(Host& host, Context& context, ConnectionId connection, std::uint32_t bytes,
                          std::uint32_t immediate) {
    static_cast<void>(host), static_cast<void>(context), static_cast<void>(connection);
    static_cast<void>(bytes), static_cast<void>(immediate);
  }
};

/// Takes the events of a host from host_event::kFirstOfUser on, for example "start flow n".
class HostUser {
 public:
  virtual ~HostUser() = default;
  virtual void on_event(Host& host, Context& context, std::uint16_t kind, std::uint64_t argument) = 0;
};

}  // namespace rocelab::sim
