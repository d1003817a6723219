// A queue pair: identity, attributes, queues, and the state of its two halves. The half that sends requests and sees
// their answers is RequesterState (requester.cc, completer.cc); the half that executes the peer's requests is
// ResponderState (responder.cc, uc_responder.cc, response_sender.cc). Owned by Engine; the files named act on it.
// PSNs of the requester are 64-bit counters whose low 24 bits are on the wire, so that they are compared as numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "rxe/congestion/cnp_generator.h"
#include "rxe/congestion/congestion.h"
#include "rxe/cq.h"
#include "rxe/qp_timers.h"
#include "rxe/receive_queue.h"
#include "rxe/responder_resources.h"
#include "rxe/selective.h"
#include "rxe/send_queue.h"
#include "rxe/srq.h"
#include "rxe/types.h"
#include "rxe/vendor_error.h"
#include "wire/packet.h"

namespace rocelab::rxe {

struct Qp;

/// Place in a list of QPs that may have something to send (ready_list.h).
struct ReadyLink {
  Qp* previous = nullptr;
  Qp* next = nullptr;
  std::uint32_t refused_at = 0;  ///< the poll_transmit in which its packet was refused
  bool listed = false;
};

/// Where in a list of pieces a message's next byte goes to or comes from.
struct PieceCursor {
  std::uint32_t piece = 0;
  std::uint32_t offset = 0;  ///< within the piece
};

struct RequesterState {
  std::uint64_t next_psn = 0;        ///< of the next packet
  std::uint64_t unacked_psn = 0;     ///< oldest that has not been acknowledged or answered
  std::uint64_t high_psn = 0;        ///< one past the highest ever sent
  std::uint64_t send_position = 0;   ///< in the send queue: whose packet is next
  std::uint64_t begun_position = 0;  ///< one past the last request that has been begun
  PieceCursor cursor;                ///< of the packet next_psn, when cursor_psn says so
  std::uint64_t cursor_psn = ~0ull;
  TimePoint held_until;                 ///< Device::hold_requests, when `holds` says so
  std::uint32_t answers_owed = 0;       ///< READs and atomics begun and not yet answered
  std::uint32_t since_ack_request = 0;  ///< packets since the last one that asked for an ACK
  std::uint32_t resent = 0;             ///< packets sent again, for queries
  std::uint8_t retries_left = 0;
  std::uint8_t rnr_retries_left = 0;
  bool holds = false;        ///< no request before held_until
  bool waiting_rnr = false;  ///< paused by an RNR NAK
  bool repeating = false;    ///< rewound by an implied NAK; nothing has been acknowledged since

  bool outstanding() const { return unacked_psn != high_psn; }
};

/// What stands in the way of the next response after READ responses and atomic acknowledgements have left.
enum class OwedAck : std::uint8_t { kNone, kAck, kNak };

struct ResponderState {
  enum class Message : std::uint8_t { kNone, kSend, kWrite };

  wire::Psn expected_psn;
  wire::Psn ack_psn;      ///< of the newest SEND or WRITE packet executed: what an ACK may name
  std::uint32_t msn = 0;  ///< 24 bits
  Message message = Message::kNone;
  OwedAck owed = OwedAck::kNone;
  std::uint8_t nak_syndrome = 0;
  wire::Psn nak_psn;
  std::uint16_t source_port = 0;  ///< of the newest request, for the next ACK (DeviceOptions::entropy)
  bool nak_sent = false;          ///< nothing more is said about packets behind the expected one
  bool parting = false;           ///< in ERR: what is owed up to the NAK is still said
  bool cnp_owed = false;          ///< a congestion notification is to be sent
  bool marked = false;           ///< a packet that met congestion has come since the last ACK (DeviceOptions::ecn_echo)
  std::uint32_t received = 0;    ///< bytes of the current message
  std::uint32_t write_left = 0;  ///< bytes of the current WRITE still to come
  std::uint32_t write_rkey = 0;
  std::uint64_t write_addr = 0;
  std::byte* write_host = nullptr;
  std::uint64_t write_generation = 0;
  PieceCursor cursor;  ///< into held
  HeldReceive held;    ///< the receive that the current SEND fills
};

/// The switches' notes on the request that the next ACK answers.
struct TelemetryEcho {
  std::size_t count = 0;
  std::array<wire::HopTelemetry, wire::kTelemetryHopsMax> hops;
};

struct Qp {
  Qp(const QpInit& init, Qpn number, std::uint32_t timer_index)
      : type(init.type),
        qpn(number),
        timers(timer_index),
        pd(init.pd),
        xrcd(init.xrcd),
        user(init.user),
        sq_sig_all(init.sq_sig_all) {}
  Qp(const Qp&) = delete;
  Qp& operator=(const Qp&) = delete;

  ReadyLink link;
  std::uint8_t priority = 0;  ///< of its path: which list of ready_list.h
  QpState state = QpState::kReset;
  QpType type;
  bool unusual = false;   ///< requests are not simply the next packet: selective repeat, ports by packet, XRC, a hold
  bool reliable = false;  ///< acknowledged: RC and XRC
  bool own_receives = false;     ///< has a receive queue: neither an SRQ nor XRC
  std::uint8_t opcode_base = 0;  ///< the service's bits of an opcode
  Qpn qpn;
  std::uint32_t mtu = 1024;         ///< payload bytes of a whole packet: the path MTU, or what the device's options say
  Duration ack_timeout;             ///< zero: none
  std::uint32_t pd_number = 0;      ///< of pd, as the region table wants it
  std::uint32_t receive_pd = 0;     ///< whose receives are: the SRQ's, when there is one
  std::uint32_t remote_access = 0;  ///< qp_access_flags
  RequesterState requester;
  SendQueue send_queue;
  ResponderState responder;
  ResponderResources resources;
  QpTimers timers;
  ReceiveQueue receive_queue;
  SharedReceiveQueue* srq = nullptr;
  CompletionQueue* send_cq = nullptr;
  CompletionQueue* receive_cq = nullptr;
  std::unique_ptr<CongestionController> congestion;
  std::unique_ptr<EntropyChooser> entropy;  ///< none while all packets take one port
  std::unique_ptr<Selective> selective;     ///< none under go-back-N
  std::unique_ptr<TelemetryEcho> echo;      ///< from the first request with telemetry on
  CnpGenerator cnp_generator;
  ReadyLink control_link;
  wire::Packet packet;  ///< template: path and destination are filled once

  PdId pd;
  CqId send_cq_id{};
  CqId receive_cq_id{};
  SrqId srq_id{};
  XrcdId xrcd{};
  void* user;
  std::vector<void*> sharers;  ///< XRC targets: whoever else has opened it, and hears of its events
  QpAttr attr;                 ///< as modified; `cap` as created
  VendorError flush_reason = VendorError::kFlushedByModify;
  bool sq_sig_all;
  bool communicating = false;  ///< the first packet has arrived (COMM_EST)
  bool draining = false;       ///< SQD, and requests begun earlier are not finished
  bool cq_overflowed = false;  ///< a completion was refused: to be taken to ERR

  bool is_xrc() const { return type == QpType::kXrcSend || type == QpType::kXrcRecv; }
  bool is_datagram() const { return type == QpType::kUd || type == QpType::kGsi || is_raw(); }
  bool is_raw() const { return type == QpType::kRawPacket; }
};

}  // namespace rocelab::rxe
