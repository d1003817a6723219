// The vocabulary of the engine's public surface: identifiers, work requests, completions, attributes, events.
// Numeric values of states, statuses, opcodes, access and attribute bits equal those of <infiniband/verbs.h> (the ABI
// that applications compile against), so that src/verbs converts by a cast; a test in src/verbs checks each of them.
// Plain values without ownership; spans passed in a request are read during the call only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/time.h"
#include "rxe/congestion/parameters.h"
#include "rxe/entropy.h"
#include "rxe/flow_key.h"
#include "wire/gid.h"
#include "wire/mac.h"

namespace rocelab::rxe {

using base::Duration;
using base::TimePoint;

using Qpn = std::uint32_t;  ///< 24 bits
inline constexpr Qpn kMulticastQpn = 0xff'ffff;
inline constexpr Qpn kGsiQpn = 1;

enum class PdId : std::uint32_t {};
enum class CqId : std::uint32_t {};
enum class SrqId : std::uint32_t {};
enum class XrcdId : std::uint32_t {};
enum class AhId : std::uint32_t {};
enum class MrId : std::uint32_t {};
enum class MwId : std::uint32_t {};
enum class FlowId : std::uint32_t {};

enum class QpType : std::uint8_t { kRc = 2, kUc = 3, kUd = 4, kGsi = 1, kRawPacket = 8, kXrcSend = 9, kXrcRecv = 10 };
enum class QpState : std::uint8_t { kReset, kInit, kRtr, kRts, kSqd, kSqe, kErr };

/// Path MTU as IBTA codes it; bytes = 128 << code.
enum class PathMtu : std::uint8_t { k256 = 1, k512, k1024, k2048, k4096 };
constexpr std::uint32_t mtu_bytes(PathMtu mtu) { return 128u << static_cast<unsigned>(mtu); }

/// Access rights of regions, windows and QPs (bits of IBV_ACCESS_*).
namespace access {
inline constexpr std::uint32_t kLocalWrite = 1u << 0;
inline constexpr std::uint32_t kRemoteWrite = 1u << 1;
inline constexpr std::uint32_t kRemoteRead = 1u << 2;
inline constexpr std::uint32_t kRemoteAtomic = 1u << 3;
inline constexpr std::uint32_t kMwBind = 1u << 4;
inline constexpr std::uint32_t kZeroBased = 1u << 5;
inline constexpr std::uint32_t kOnDemand = 1u << 6;
inline constexpr std::uint32_t kHugeTlb = 1u << 7;
inline constexpr std::uint32_t kFlushGlobal = 1u << 8;
inline constexpr std::uint32_t kFlushPersistent = 1u << 9;
inline constexpr std::uint32_t kRelaxedOrdering = 1u << 20;
}  // namespace access

/// Which members of a QpAttr a modify_qp carries (bits of IBV_QP_*).
namespace qp_attr {
inline constexpr std::uint32_t kState = 1u << 0;
inline constexpr std::uint32_t kCurState = 1u << 1;
inline constexpr std::uint32_t kEnSqdAsyncNotify = 1u << 2;
inline constexpr std::uint32_t kAccessFlags = 1u << 3;
inline constexpr std::uint32_t kPkeyIndex = 1u << 4;
inline constexpr std::uint32_t kPort = 1u << 5;
inline constexpr std::uint32_t kQkey = 1u << 6;
inline constexpr std::uint32_t kAv = 1u << 7;
inline constexpr std::uint32_t kPathMtu = 1u << 8;
inline constexpr std::uint32_t kTimeout = 1u << 9;
inline constexpr std::uint32_t kRetryCnt = 1u << 10;
inline constexpr std::uint32_t kRnrRetry = 1u << 11;
inline constexpr std::uint32_t kRqPsn = 1u << 12;
inline constexpr std::uint32_t kMaxQpRdAtomic = 1u << 13;
inline constexpr std::uint32_t kAltPath = 1u << 14;
inline constexpr std::uint32_t kMinRnrTimer = 1u << 15;
inline constexpr std::uint32_t kSqPsn = 1u << 16;
inline constexpr std::uint32_t kMaxDestRdAtomic = 1u << 17;
inline constexpr std::uint32_t kPathMigState = 1u << 18;
inline constexpr std::uint32_t kCap = 1u << 19;
inline constexpr std::uint32_t kDestQpn = 1u << 20;
inline constexpr std::uint32_t kRateLimit = 1u << 25;
}  // namespace qp_attr

/// Flags of a send work request (bits of IBV_SEND_*).
namespace send_flag {
inline constexpr std::uint32_t kFence = 1u << 0;
inline constexpr std::uint32_t kSignaled = 1u << 1;
inline constexpr std::uint32_t kSolicited = 1u << 2;
inline constexpr std::uint32_t kInline = 1u << 3;
}  // namespace send_flag

enum class SendOpcode : std::uint8_t {
  kRdmaWrite = 0,
  kRdmaWriteWithImm = 1,
  kSend = 2,
  kSendWithImm = 3,
  kRdmaRead = 4,
  kAtomicCmpAndSwp = 5,
  kAtomicFetchAndAdd = 6,
  kLocalInv = 7,
  kBindMw = 8,
  kSendWithInv = 9,
  kFlush = 14,        ///< what was written before is visible, or persistent, when this completes
  kAtomicWrite = 15,  ///< 8 bytes at once
  kRegMr = 32,        ///< fast registration; inside only, libibverbs has no such request
};

/// One piece of local memory, as in ibv_sge (same layout: the ABI casts).
struct Sge {
  std::uint64_t addr = 0;  ///< iova in the region named by lkey (a pointer for inline data)
  std::uint32_t length = 0;
  std::uint32_t lkey = 0;
};

/// A send work request. Which members count follows from `opcode` and the QP's type.
struct SendRequest {
  std::uint64_t wr_id = 0;
  SendOpcode opcode = SendOpcode::kSend;
  std::uint32_t flags = 0;            ///< send_flag bits
  std::span<const Sge> sges;          ///< with kInline the bytes are copied during the call
  std::uint32_t immediate = 0;        ///< host order number whose big-endian form goes on the wire
  std::uint32_t invalidate_rkey = 0;  ///< kSendWithInv, kLocalInv
  std::uint64_t remote_addr = 0;      ///< WRITE, READ, atomics, FLUSH
  std::uint32_t rkey = 0;
  std::uint64_t compare_add = 0;  ///< kAtomicWrite without pieces: the 8 bytes
  std::uint64_t swap = 0;
  struct Flush {
    std::uint32_t length = 0;
    std::uint8_t placement = 0;    ///< wire::Feth's bits
    std::uint8_t selectivity = 0;  ///< wire::Feth's values
  } flush;
  AhId ah{};  ///< UD and GSI
  Qpn remote_qpn = 0;
  std::uint32_t srq_number = 0;   ///< XRC: the shared receive queue there, 24 bits
  std::uint32_t remote_qkey = 0;  ///< top bit set: the QP's own Q_Key is used (IBTA vol 1, 10.2.5)
  struct Bind {                   ///< kBindMw
    MwId mw{};
    MrId mr{};
    std::uint32_t rkey = 0;  ///< type 2: the new key; type 1: chosen by the engine before posting
    std::uint64_t addr = 0;
    std::uint64_t length = 0;
    std::uint32_t access = 0;
  } bind;
  struct Register {  ///< kRegMr
    MrId mr{};
    std::uint32_t key = 0;  ///< index of `mr`, new variant byte
    std::byte* host = nullptr;
    std::uint64_t iova = 0;
    std::uint64_t length = 0;
    std::uint32_t access = 0;
  } reg;
};

struct RecvRequest {
  std::uint64_t wr_id = 0;
  std::span<const Sge> sges;
};

enum class WcStatus : std::uint8_t {
  kSuccess = 0,
  kLocLenErr = 1,
  kLocQpOpErr = 2,
  kLocEecOpErr = 3,
  kLocProtErr = 4,
  kWrFlushErr = 5,
  kMwBindErr = 6,
  kBadRespErr = 7,
  kLocAccessErr = 8,
  kRemInvReqErr = 9,
  kRemAccessErr = 10,
  kRemOpErr = 11,
  kRetryExcErr = 12,
  kRnrRetryExcErr = 13,
  kGeneralErr = 21,
};

enum class WcOpcode : std::uint8_t {
  kSend = 0,
  kRdmaWrite = 1,
  kRdmaRead = 2,
  kCompSwap = 3,
  kFetchAdd = 4,
  kBindMw = 5,
  kLocalInv = 6,
  kFlush = 8,
  kAtomicWrite = 9,
  kRegMr = 32,
  kRecv = 128,
  kRecvRdmaWithImm = 129,
};

namespace wc_flag {
inline constexpr std::uint32_t kGrh = 1u << 0;
inline constexpr std::uint32_t kWithImm = 1u << 1;
inline constexpr std::uint32_t kWithInv = 1u << 3;
}  // namespace wc_flag

/// A work completion. In error only wr_id, status, qp_num and vendor_err mean something (as ibv_poll_cq documents).
struct Completion {
  std::uint64_t wr_id = 0;
  TimePoint timestamp;
  WcStatus status = WcStatus::kSuccess;
  WcOpcode opcode = WcOpcode::kSend;
  std::uint8_t service_level = 0;  ///< of a datagram: grh_area_kind()
  std::uint32_t vendor_err = 0;    ///< VendorError (vendor_error.h): why, in more detail than the status
  std::uint32_t byte_len = 0;
  std::uint32_t immediate = 0;  ///< host order; with kWithInv the invalidated rkey; of a raw packet the flow's tag
  Qpn qp_num = 0;
  Qpn src_qp = 0;
  std::uint32_t flags = 0;  ///< wc_flag bits
};

/// The device's limits, reported by query_device and enforced by create/post calls.
struct DeviceAttr {
  std::uint32_t max_qp = 65'535;
  std::uint32_t max_qp_wr = 16'384;
  std::uint32_t max_sge = 32;
  std::uint32_t max_inline_data = 512;
  std::uint32_t max_cq = 65'536;
  std::uint32_t max_cqe = 4'194'304;
  std::uint32_t max_mr = 1u << 20;
  std::uint32_t max_mw = 1u << 20;
  std::uint32_t max_pd = 65'536;
  std::uint32_t max_ah = 1u << 20;
  std::uint32_t max_srq = 65'536;
  std::uint32_t max_srq_wr = 32'768;
  std::uint32_t max_srq_sge = 32;
  std::uint32_t max_xrcd = 65'536;
  std::uint32_t max_qp_rd_atom = 128;
  std::uint32_t max_qp_init_rd_atom = 128;
  std::uint32_t max_mcast_grp = 8'192;
  std::uint32_t max_mcast_qp_attach = 1'024;
  std::uint64_t max_mr_size = ~0ull;
  std::uint64_t max_msg_size = 1ull << 31;  ///< IBTA vol 1, 9.7.4: 2^31 bytes
  std::uint32_t gid_table_length = 128;
  std::uint16_t pkey_table_length = 1;
};

enum class GidType : std::uint8_t { kRoceV1 = 1, kRoceV2 = 2 };  ///< values of ibv_gid_type_sysfs + 1 / ibv_gid_type
struct GidEntry {
  wire::Gid gid;
  GidType type = GidType::kRoceV2;
  bool valid = false;
  std::uint32_t ndev_ifindex = 0;
  bool has_vlan = false;
  std::uint16_t vlan_id = 0;
};

/// Where packets go: ibv_ah_attr plus the next hop's MAC, which the owner has resolved (the engine does no I/O).
struct AddressVector {
  wire::Gid dgid;
  std::uint8_t sgid_index = 0;
  std::uint8_t hop_limit = 64;
  std::uint8_t traffic_class = 0;
  std::uint32_t flow_label = 0;
  std::uint8_t service_level = 0;  ///< becomes the PCP of a VLAN tag
  wire::MacAddress destination_mac{};
};

struct QpCap {
  std::uint32_t max_send_wr = 0;
  std::uint32_t max_recv_wr = 0;
  std::uint32_t max_send_sge = 0;
  std::uint32_t max_recv_sge = 0;
  std::uint32_t max_inline_data = 0;
};

struct QpInit {
  QpType type = QpType::kRc;
  PdId pd{};
  CqId send_cq{};
  CqId recv_cq{};
  bool has_srq = false;
  SrqId srq{};
  XrcdId xrcd{};  ///< kXrcRecv, which has neither PD nor CQs of its own; kXrcSend has no recv_cq
  QpCap cap;      ///< rounded up on return, as libibverbs does
  bool sq_sig_all = false;
  void* user = nullptr;  ///< handed back in events
  Qpn number = 0;        ///< 0: the device chooses; else this one (the simulator's QPs are numbered before they exist)
};

/// ibv_qp_attr. Which members count is said by a qp_attr mask.
struct QpAttr {
  QpState state = QpState::kReset;
  QpState cur_state = QpState::kReset;
  PathMtu path_mtu = PathMtu::k1024;
  std::uint32_t qkey = 0;
  std::uint32_t rq_psn = 0;
  std::uint32_t sq_psn = 0;
  Qpn dest_qpn = 0;
  std::uint32_t access_flags = 0;
  QpCap cap;
  AddressVector av;
  std::uint16_t pkey_index = 0;
  bool en_sqd_async_notify = false;
  bool sq_draining = false;
  std::uint8_t max_rd_atomic = 0;
  std::uint8_t max_dest_rd_atomic = 0;
  std::uint8_t min_rnr_timer = 0;  ///< code of the RNR timer table, 0..31
  std::uint8_t port = 1;
  std::uint8_t timeout = 0;    ///< local ACK timeout: 4.096 us * 2^timeout, 0 = none
  std::uint8_t retry_cnt = 0;  ///< 0..7
  std::uint8_t rnr_retry = 0;  ///< 0..7, 7 = for ever
};

enum class FlowType : std::uint8_t { kNormal, kAllDefault, kMulticastDefault, kSniffer };  ///< ibv_flow_attr_type

/// A steering rule: which frames go to a raw packet QP. flow_table.h says which of several rules wins.
struct FlowRule {
  FlowType type = FlowType::kNormal;
  std::uint32_t priority = 0;  ///< lower numbers first
  Qpn qpn = 0;
  FlowKey value, mask;
  std::uint32_t tag = 0;   ///< Completion::immediate of what it steers
  bool drops = false;      ///< nobody gets the frame
  bool lets_pass = false;  ///< rules of lesser priority see the frame, too
};

struct SrqAttr {
  std::uint32_t max_wr = 0;
  std::uint32_t max_sge = 0;
  std::uint32_t limit = 0;
};

struct MrInfo {
  MrId id{};
  std::uint32_t lkey = 0;
  std::uint32_t rkey = 0;
};

struct MrInit {
  PdId pd{};
  std::byte* host = nullptr;  ///< where the bytes are; nullptr: elided memory (simulator): lengths only
  std::uint64_t length = 0;
  std::uint64_t iova = 0;    ///< address that requests use for the first byte
  std::uint32_t access = 0;  ///< access bits
};

enum class MwType : std::uint8_t { k1 = 1, k2 = 2 };
struct MwInfo {
  MwId id{};
  std::uint32_t rkey = 0;
};

/// What the owner must pass on: completion notifications and asynchronous events (values of ibv_event_type where
/// there is one).
enum class EventType : std::uint8_t {
  kCqErr = 0,
  kQpFatal = 1,
  kQpReqErr = 2,
  kQpAccessErr = 3,
  kCommEst = 4,
  kSqDrained = 5,
  kPortActive = 9,
  kPortErr = 10,
  kSrqErr = 14,
  kSrqLimitReached = 15,
  kQpLastWqeReached = 16,
  kGidChange = 18,
  kCompletion = 0x80,  ///< an armed CQ has something to poll
};
struct Event {
  EventType type = EventType::kCompletion;
  void* user = nullptr;  ///< of the CQ, QP or SRQ concerned; nullptr for port events
};

/// How a responder's ACKs are asked for and joined.
enum class AckPolicy : std::uint8_t {
  kCoalesced,   ///< asked for at the end of a message and every ack_interval packets; one ACK answers all that is owed
  kEveryPacket  ///< each request packet asks; one ACK a packet as long as the owner polls after each
};

/// What an RC requester does about lost packets.
enum class LossRecovery : std::uint8_t {
  kGoBackN,          ///< IBTA's: everything from the lost packet on is sent again
  kSelectiveRepeat,  ///< IRN's, between two devices so configured: what is lost is sent again (selective.h)
};

/// Mittal et al., "Revisiting Network Support for RDMA", SIGCOMM 2018, section 4.1. Its limit of packets in flight is
/// DeviceOptions::unacked_psns_max; both ends have the same.
struct SelectiveParameters {
  Duration rto_low = Duration::us(100);   ///< retransmission timeout with few packets in flight
  Duration rto_high = Duration::us(320);  ///< with more; verbs' ACK timeout does not count
  std::uint32_t rto_low_packets = 3;      ///< how many are few
  /// A packet is lost when so many PSNs later one has come: 1 as in the paper; more where paths are sprayed.
  std::uint32_t reorder_packets = 1;
};

class Quota;  // rxe/quota.h

struct DeviceOptions {
  std::uint64_t seed;  ///< no default: the owner says where chance comes from
  wire::MacAddress mac{};
  std::array<std::uint8_t, 8> node_guid{};
  DeviceAttr limits;
  Quota* quota = nullptr;  ///< outlives the device; nullptr: nobody else counts
  Qpn qpn_first = 0x100;   ///< QPNs handed out are [qpn_first, qpn_first + qpn_count)
  std::uint32_t qpn_count = 0x1000;
  std::uint32_t qpn_reserved = 0;  ///< the first of these are given only to those who ask for them by QpInit::number
  PathMtu port_mtu = PathMtu::k4096;
  CongestionControl congestion_control = CongestionControl::kNone;
  CongestionParameters congestion{};
  std::uint64_t link_bits_per_s = 100'000'000'000;  ///< line rate that congestion control starts from

  // What a simulator chooses; the defaults are those of the real-time path.
  std::uint32_t payload_bytes =
      0;  ///< of a whole packet, whatever the path MTU says (1000 in HPCC's ns-3); 0: the path MTU
  std::uint32_t unacked_psns_max = 512;  ///< PSNs that may be unacknowledged before a requester waits
  std::uint32_t ack_interval = 64;       ///< a message that asks for no ACK for so many packets asks for one in between
  AckPolicy ack_policy = AckPolicy::kCoalesced;
  bool ecn_echo = false;  ///< congestion marks go back as BECN in the next ACK instead of by CNPs
  static constexpr std::uint8_t kOwnPriority = 0xff;
  std::uint8_t control_priority = kOwnPriority;  ///< 0..7: of ACKs, NAKs and CNPs; else that of their QP's path
  LossRecovery loss_recovery = LossRecovery::kGoBackN;
  SelectiveParameters selective{};
  Entropy entropy = Entropy::kPerQp;  ///< of RC packets
  bool raw_packets = false;           ///< raw packet QPs can be made: there is a wire that takes whole frames
  bool queues_grow = false;           ///< work and completion queues start empty and grow to their size when used
};

}  // namespace rocelab::rxe
