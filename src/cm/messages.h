// The messages of connection management (IBTA vol 1, 12.6 and 12.11): plain values, a reader that trusts nothing and a
// writer that writes all 256 bytes. Offsets of the drawings in the .cc files count from the MAD header's end, as the
// tables of the specification do. Values only; usable from any thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "cm/mad.h"
#include "wire/gid.h"

namespace rocelab::cm {

/// What consumers put behind a message. On the wire a message has no length for it: it is always the whole field, and
/// what the consumer left free is zero.
struct PrivateData {
  static constexpr std::size_t kBytesMax = 224;

  std::array<std::byte, kBytesMax> bytes{};
  std::uint8_t size = 0;

  /// Cuts what is beyond kBytesMax; callers have checked against the message's own limit.
  static PrivateData of(std::span<const std::byte> source) {
    PrivateData data;
    data.size = static_cast<std::uint8_t>(std::min(source.size(), kBytesMax));
    std::copy_n(source.begin(), data.size, data.bytes.begin());
    return data;
  }
  std::span<const std::byte> view() const { return {bytes.data(), size}; }
  friend bool operator==(const PrivateData& a, const PrivateData& b) {
    return std::equal(a.view().begin(), a.view().end(), b.view().begin(), b.view().end());
  }
};

/// A path as REQ names it, seen from the sender of the REQ ("local" is its side).
struct RequestPath {
  std::uint16_t local_lid = 0;
  std::uint16_t remote_lid = 0;
  wire::Gid local_gid;
  wire::Gid remote_gid;
  std::uint32_t flow_label = 0;  ///< 20 bits
  std::uint8_t packet_rate = 0;  ///< 6 bits, as in an SA path record
  std::uint8_t traffic_class = 0;
  std::uint8_t hop_limit = 0;
  std::uint8_t service_level = 0;  ///< 4 bits
  bool subnet_local = false;
  std::uint8_t ack_timeout = 0;  ///< 5 bits: 4.096 us * 2^n
  friend bool operator==(const RequestPath&, const RequestPath&) = default;
};

/// Transport service types (IBTA vol 1, 12.7.15); values of the field.
enum class Transport : std::uint8_t { kRc = 0, kUc = 1, kRd = 2, kXrc = 3 };

struct Req {
  static constexpr Attribute kAttribute = Attribute::kReq;
  static constexpr std::size_t kPrivateBytes = 92;

  std::uint32_t local_comm_id = 0;
  std::uint64_t service_id = 0;
  std::uint64_t local_ca_guid = 0;
  std::uint32_t local_qkey = 0;
  std::uint32_t local_qpn = 0;               ///< 24 bits
  std::uint8_t responder_resources = 0;      ///< READs and atomics that the sender takes at a time
  std::uint8_t initiator_depth = 0;          ///< READs and atomics that the sender will have under way
  std::uint8_t remote_response_timeout = 0;  ///< 5 bits: in which time the receiver is to answer
  Transport transport = Transport::kRc;
  std::uint8_t extended_transport = 0;  ///< 3 bits; with kXrc: 1
  bool flow_control = false;
  std::uint32_t starting_psn = 0;           ///< 24 bits
  std::uint8_t local_response_timeout = 0;  ///< 5 bits: in which time the sender will answer
  std::uint8_t retry_count = 0;             ///< 3 bits
  std::uint16_t pkey = 0xffff;
  std::uint8_t path_mtu = 0;  ///< code, 1..5
  bool rdc_exists = false;
  std::uint8_t rnr_retry_count = 0;  ///< 3 bits
  std::uint8_t max_cm_retries = 0;   ///< 4 bits
  bool srq = false;
  RequestPath primary;
  RequestPath alternate;  ///< none when its GIDs and LIDs are zero
  PrivateData private_data;

  bool has_alternate() const {
    return alternate.local_lid != 0 || !alternate.local_gid.is_zero() || !alternate.remote_gid.is_zero();
  }
  friend bool operator==(const Req&, const Req&) = default;
};

/// Which message a MRA or REJ is about.
enum class Answered : std::uint8_t { kReq = 0, kRep = 1, kOther = 2 };

struct Mra {
  static constexpr Attribute kAttribute = Attribute::kMra;
  static constexpr std::size_t kPrivateBytes = 222;

  std::uint32_t local_comm_id = 0;
  std::uint32_t remote_comm_id = 0;
  Answered answered = Answered::kReq;
  std::uint8_t service_timeout = 0;  ///< 5 bits: how much longer it will take
  PrivateData private_data;
  friend bool operator==(const Mra&, const Mra&) = default;
};

/// Why a connection was refused (IBTA vol 1, 12.6.7.2).
enum class RejectReason : std::uint16_t {
  kNoQp = 1,
  kNoEec = 2,
  kNoResources = 3,
  kTimeout = 4,
  kUnsupportedRequest = 5,
  kInvalidCommId = 6,
  kInvalidCommInstance = 7,
  kInvalidServiceId = 8,
  kInvalidTransport = 9,
  kStaleConnection = 10,
  kRdcNotExist = 11,
  kInvalidGid = 12,
  kInvalidLid = 13,
  kInvalidServiceLevel = 14,
  kInvalidTrafficClass = 15,
  kInvalidHopLimit = 16,
  kInvalidPacketRate = 17,
  kInvalidAlternateGid = 18,
  kPortCmRedirect = 24,
  kPortRedirect = 25,
  kInvalidMtu = 26,
  kInsufficientResponderResources = 27,
  kConsumerDefined = 28,
  kInvalidRnrRetry = 29,
  kDuplicateLocalCommId = 30,
  kInvalidClassVersion = 31,
  kInvalidFlowLabel = 32,
  kVendorOptionNotSupported = 35,
};

struct Rej {
  static constexpr Attribute kAttribute = Attribute::kRej;
  static constexpr std::size_t kPrivateBytes = 148;
  static constexpr std::size_t kInfoBytes = 72;

  std::uint32_t local_comm_id = 0;   ///< 0: the sender made none
  std::uint32_t remote_comm_id = 0;  ///< 0: the sender does not know it
  Answered answered = Answered::kReq;
  RejectReason reason = RejectReason::kConsumerDefined;
  std::uint8_t info_size = 0;  ///< 7 bits on the wire; values beyond kInfoBytes are read as kInfoBytes
  std::array<std::byte, kInfoBytes> info{};
  PrivateData private_data;
  friend bool operator==(const Rej&, const Rej&) = default;
};

struct Rep {
  static constexpr Attribute kAttribute = Attribute::kRep;
  static constexpr std::size_t kPrivateBytes = 196;

  std::uint32_t local_comm_id = 0;
  std::uint32_t remote_comm_id = 0;
  std::uint32_t local_qkey = 0;
  std::uint32_t local_qpn = 0;     ///< 24 bits
  std::uint32_t local_eecn = 0;    ///< 24 bits; with XRC the QPN of the target
  std::uint32_t starting_psn = 0;  ///< 24 bits
  std::uint8_t responder_resources = 0;
  std::uint8_t initiator_depth = 0;
  std::uint8_t target_ack_delay = 0;  ///< 5 bits
  std::uint8_t failover = 0;          ///< 2 bits: 0 accepted, 1 not supported, 2 rejected
  bool flow_control = false;
  std::uint8_t rnr_retry_count = 0;  ///< 3 bits
  bool srq = false;
  std::uint64_t local_ca_guid = 0;
  PrivateData private_data;
  friend bool operator==(const Rep&, const Rep&) = default;
};

struct Rtu {
  static constexpr Attribute kAttribute = Attribute::kRtu;
  static constexpr std::size_t kPrivateBytes = 224;

  std::uint32_t local_comm_id = 0;
  std::uint32_t remote_comm_id = 0;
  PrivateData private_data;
  friend bool operator==(const Rtu&, const Rtu&) = default;
};

struct Dreq {
  static constexpr Attribute kAttribute = Attribute::kDreq;
  static constexpr std::size_t kPrivateBytes = 220;

  std::uint32_t local_comm_id = 0;
  std::uint32_t remote_comm_id = 0;
  std::uint32_t remote_qpn = 0;  ///< 24 bits: the receiver's
  PrivateData private_data;
  friend bool operator==(const Dreq&, const Dreq&) = default;
};

struct Drep {
  static constexpr Attribute kAttribute = Attribute::kDrep;
  static constexpr std::size_t kPrivateBytes = 224;

  std::uint32_t local_comm_id = 0;
  std::uint32_t remote_comm_id = 0;
  PrivateData private_data;
  friend bool operator==(const Drep&, const Drep&) = default;
};

/// Load alternate path.
struct Lap {
  static constexpr Attribute kAttribute = Attribute::kLap;
  static constexpr std::size_t kPrivateBytes = 168;

  std::uint32_t local_comm_id = 0;
  std::uint32_t remote_comm_id = 0;
  std::uint32_t remote_qpn = 0;              ///< 24 bits
  std::uint8_t remote_response_timeout = 0;  ///< 5 bits
  RequestPath alternate;
  PrivateData private_data;
  friend bool operator==(const Lap&, const Lap&) = default;
};

/// Answers to LAP (IBTA vol 1, 12.8.2.1).
enum class AprStatus : std::uint8_t { kLoaded = 0, kInvalidCommId = 1, kNotSupported = 2, kRejected = 3 };

struct Apr {
  static constexpr Attribute kAttribute = Attribute::kApr;
  static constexpr std::size_t kPrivateBytes = 148;
  static constexpr std::size_t kInfoBytes = 72;

  std::uint32_t local_comm_id = 0;
  std::uint32_t remote_comm_id = 0;
  AprStatus status = AprStatus::kLoaded;
  std::uint8_t info_size = 0;
  std::array<std::byte, kInfoBytes> info{};
  PrivateData private_data;
  friend bool operator==(const Apr&, const Apr&) = default;
};

/// Service id resolution: which UD QP serves this?
struct SidrReq {
  static constexpr Attribute kAttribute = Attribute::kSidrReq;
  static constexpr std::size_t kPrivateBytes = 216;

  std::uint32_t request_id = 0;
  std::uint16_t pkey = 0xffff;
  std::uint64_t service_id = 0;
  PrivateData private_data;
  friend bool operator==(const SidrReq&, const SidrReq&) = default;
};

/// IBTA vol 1, 12.11.2.1.
enum class SidrStatus : std::uint8_t {
  kSuccess = 0,
  kUnsupported = 1,  ///< service id not supported
  kRejected = 2,
  kNoQp = 3,
  kRedirect = 4,
  kUnsupportedVersion = 5,
};

struct SidrRep {
  static constexpr Attribute kAttribute = Attribute::kSidrRep;
  static constexpr std::size_t kPrivateBytes = 136;
  static constexpr std::size_t kInfoBytes = 72;

  std::uint32_t request_id = 0;
  SidrStatus status = SidrStatus::kSuccess;
  std::uint8_t info_size = 0;
  std::uint32_t qpn = 0;  ///< 24 bits
  std::uint64_t service_id = 0;
  std::uint32_t qkey = 0;
  std::array<std::byte, kInfoBytes> info{};
  PrivateData private_data;
  friend bool operator==(const SidrRep&, const SidrRep&) = default;
};

using Message = std::variant<Req, Mra, Rej, Rep, Rtu, Dreq, Drep, Lap, Apr, SidrReq, SidrRep>;

struct Mad {
  std::uint64_t transaction_id = 0;
  Message message;
  friend bool operator==(const Mad&, const Mad&) = default;
};

/// Why a datagram is no CM message.
enum class MadError : std::uint8_t {
  kLength,     ///< not 256 bytes
  kVersion,    ///< base or class version unknown
  kClass,      ///< another management class
  kMethod,     ///< not Send
  kAttribute,  ///< none of the eleven
};

/// Every bit pattern of the fields is a value, so length and header are all that can be wrong.
struct ParsedMad {
  std::optional<Mad> mad;
  MadError error = MadError::kLength;  ///< when there is no mad
};
ParsedMad parse_mad(std::span<const std::byte> bytes);

/// Writes all kMadBytes; fields are cut to their width, private data to its field.
void emit_mad(const Mad& mad, std::span<std::byte, kMadBytes> bytes);

Attribute attribute_of(const Message& message);
/// One line for logs: "REQ 0x1234 service 0x1067b5c qp 0x10011 ...".
std::string to_string(const Message& message);

}  // namespace rocelab::cm
