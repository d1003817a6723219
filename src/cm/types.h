// What the Manager takes and gives: parameters of its calls, events, what is known about an id. Values; spans are read
// during the call only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/time.h"
#include "cm/messages.h"
#include "cm/service.h"
#include "cm/state.h"
#include "wire/packet.h"

namespace rocelab::cm {

using base::Duration;
using base::TimePoint;

/// An id, and the number by which the peer's messages name it: the process slot in the top 8 bits. Never 0.
enum class Id : std::uint32_t {};

/// 4.096 us * 2^code, the way IBTA codes every timeout here (5 bits).
constexpr Duration timeout_of(std::uint8_t code) { return Duration::ns(4096) * (std::int64_t{1} << (code & 0x1f)); }

/// The ACK timeout code of a path (IBTA vol 1, 12.7.34: twice the packet's life time and the peer's delay, rounded up
/// to a power of two of their own kind: adding one doubles).
constexpr std::uint8_t ack_timeout_code(std::uint8_t ack_delay, std::uint8_t life_time) {
  const unsigned life = life_time + 1u, delay = ack_delay;
  const unsigned code = life >= delay ? life + (delay + 1 >= life ? 1 : 0) : delay + (life + 1 >= delay ? 1 : 0);
  return static_cast<std::uint8_t>(code < 31 ? code : 31);
}

// Defaults are those of the kernel's rdma_cm, so that the two behave alike.
inline constexpr std::uint8_t kResponseTimeout = 20;  ///< 4.3 s
inline constexpr std::uint8_t kCmRetriesMax = 15;
inline constexpr std::uint8_t kMraTimeout = 24;  ///< 69 s
inline constexpr std::uint8_t kPacketLifeTime = 16;
inline constexpr std::uint8_t kAckDelay = 15;
inline constexpr std::uint8_t kPortRate = 0;  ///< no other than the port's

struct ReqParam {
  std::uint64_t service_id = 0;
  wire::Path path;  ///< to the peer: both GIDs, MACs, encapsulation, VLAN, hop limit, traffic class
  std::uint8_t service_level = 0;
  std::uint8_t path_mtu = 3;  ///< code 1..5: 256 to 4096
  std::uint8_t packet_rate = kPortRate;
  std::uint8_t packet_life_time = kPacketLifeTime;
  /// Code of the ACK timeout that both QPs shall use; 0: derived from packet_life_time.
  std::uint8_t ack_timeout = 0;
  Transport transport = Transport::kRc;
  std::uint32_t qpn = 0;
  std::uint32_t qkey = 0;
  std::uint32_t starting_psn = 0;
  std::uint8_t responder_resources = 0;
  std::uint8_t initiator_depth = 0;
  bool flow_control = false;
  std::uint8_t retry_count = 7;
  std::uint8_t rnr_retry_count = 7;
  bool srq = false;
  std::uint16_t pkey = 0xffff;
  std::uint8_t remote_response_timeout = kResponseTimeout;
  std::uint8_t local_response_timeout = kResponseTimeout;
  std::uint8_t max_cm_retries = kCmRetriesMax;
  std::span<const std::byte> private_data;  ///< at most Req::kPrivateBytes, IpHeader included
};

struct RepParam {
  std::uint32_t qpn = 0;
  std::uint32_t qkey = 0;
  std::uint32_t starting_psn = 0;
  std::uint8_t responder_resources = 0;
  std::uint8_t initiator_depth = 0;
  std::uint8_t target_ack_delay = kAckDelay;
  bool flow_control = false;
  std::uint8_t rnr_retry_count = 7;
  bool srq = false;
  std::span<const std::byte> private_data;  ///< at most Rep::kPrivateBytes
};

struct RejParam {
  RejectReason reason = RejectReason::kConsumerDefined;
  std::span<const std::byte> info;          ///< at most Rej::kInfoBytes
  std::span<const std::byte> private_data;  ///< at most Rej::kPrivateBytes
};

enum class MraWhen : std::uint8_t {
  kNow,
  kOnRepetition,  ///< only if the peer repeats its message, as the kernel's rdma_cm does
};

struct SidrReqParam {
  std::uint64_t service_id = 0;
  wire::Path path;
  std::uint16_t pkey = 0xffff;
  Duration timeout = timeout_of(kResponseTimeout);
  std::uint8_t max_cm_retries = kCmRetriesMax;
  std::span<const std::byte> private_data;  ///< at most SidrReq::kPrivateBytes
};

struct SidrRepParam {
  SidrStatus status = SidrStatus::kSuccess;
  std::uint32_t qpn = 0;
  std::uint32_t qkey = 0;
  std::span<const std::byte> info;          ///< at most SidrRep::kInfoBytes
  std::span<const std::byte> private_data;  ///< at most SidrRep::kPrivateBytes
};

/// Which happened to an id. The message that caused it, if any, is in Event::message.
enum class EventKind : std::uint8_t {
  kReqReceived,      ///< a new id (in kReqRcvd); Event::listener heard it. Answer by send_rep, send_rej, send_mra
  kReqError,         ///< no answer to our REQ; the id is idle again
  kRepReceived,      ///< answer by send_rtu, send_rej, send_mra
  kRepError,         ///< no RTU came, nor the peer's repetition: the id is idle again
  kRtuReceived,      ///< established
  kUserEstablished,  ///< by notify_established
  kMraReceived,
  kRejReceived,      ///< idle again, or in timewait (kTimewaitExit follows)
  kDreqReceived,     ///< the peer disconnects, or has died (no message then). Answer by send_drep when in kDreqRcvd
  kDreqError,        ///< no answer to our DREQ; in timewait
  kDrepReceived,     ///< in timewait
  kTimewaitExit,     ///< idle again: the QP's number may be used for another connection
  kSidrReqReceived,  ///< a new id (in kSidrReqRcvd); answer by send_sidr_rep
  kSidrReqError,     ///< no answer; idle again
  kSidrRepReceived,  ///< idle again; whether it succeeded is in the message
};
std::string_view to_string(EventKind kind);

struct Event {
  EventKind kind = EventKind::kReqReceived;
  Id id{};
  Id listener{};         ///< kReqReceived and kSidrReqReceived
  void* user = nullptr;  ///< of the id; for a new id that of the listener
  wire::Path path;       ///< of a new id, towards the peer (source is our side); its hop limit is that of the request
  bool has_message = false;
  Message message;
};

/// What is known about an id; which members mean something follows from the state.
struct Info {
  State state = State::kIdle;
  void* user = nullptr;
  bool active = false;  ///< we sent the REQ
  std::uint32_t remote_comm_id = 0;
  std::uint64_t remote_ca_guid = 0;
  std::uint64_t service_id = 0;
  wire::Path path;  ///< towards the peer; udp_source_port is not set
  std::uint8_t service_level = 0;
  Transport transport = Transport::kRc;
  std::uint16_t pkey = 0xffff;
  std::uint32_t local_qpn = 0;
  std::uint32_t remote_qpn = 0;
  std::uint32_t remote_qkey = 0;
  std::uint32_t send_psn = 0;            ///< the first PSN of our QP: the peer chose it
  std::uint32_t receive_psn = 0;         ///< the first PSN of the peer's QP: we chose it
  std::uint8_t responder_resources = 0;  ///< what our QP takes at a time: max_dest_rd_atomic
  std::uint8_t initiator_depth = 0;      ///< what our QP may have under way: max_rd_atomic
  std::uint8_t path_mtu = 0;             ///< code
  std::uint8_t ack_timeout = 0;          ///< code, for our QP
  std::uint8_t retry_count = 0;
  std::uint8_t rnr_retry_count = 0;  ///< for our QP: what the peer asked for
  bool remote_srq = false;
};

}  // namespace rocelab::cm
