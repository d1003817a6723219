// Per-device counters. The first block carries the names of Linux rxe's hw_counters (rxe_hw_counters.c), so that users
// find what they know; the second names each reason for which a packet is dropped. Owned by a Device, read through
// Device::counters(); plain integers, the owner serialises.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace rocelab::rxe {

struct Counters {
  std::uint64_t sent_pkts = 0;
  std::uint64_t rcvd_pkts = 0;
  std::uint64_t duplicate_request = 0;
  std::uint64_t out_of_seq_request = 0;
  std::uint64_t rcvd_rnr_err = 0;
  std::uint64_t send_rnr_err = 0;
  std::uint64_t rcvd_seq_err = 0;
  std::uint64_t ack_deferred = 0;
  std::uint64_t retry_exceeded_err = 0;
  std::uint64_t retry_rnr_exceeded_err = 0;
  std::uint64_t completer_retry_err = 0;
  std::uint64_t send_err = 0;
  std::uint64_t link_downed = 0;
  std::uint64_t rdma_sends = 0;
  std::uint64_t rdma_recvs = 0;
  // ours
  std::uint64_t resent_pkts = 0;  ///< request packets sent again
  std::uint64_t sent_bytes = 0;   ///< payload
  std::uint64_t rcvd_bytes = 0;   ///< payload
  std::uint64_t cnp_sent = 0;
  std::uint64_t cnp_handled = 0;
  std::uint64_t ecn_marked_rcvd = 0;
  std::uint64_t drop_bad_qpn = 0;
  std::uint64_t drop_qp_state = 0;
  std::uint64_t drop_wrong_transport = 0;  ///< opcode does not belong to the QP's service
  std::uint64_t drop_bad_pkey = 0;
  std::uint64_t drop_bad_qkey = 0;
  std::uint64_t drop_wrong_peer = 0;    ///< source address is not the connected peer's
  std::uint64_t drop_not_attached = 0;  ///< multicast without a listener
  std::uint64_t drop_no_receive = 0;    ///< UC/UD without a receive request
  std::uint64_t drop_too_long = 0;
  std::uint64_t drop_bad_sequence = 0;  ///< UC sequence error, stale responses
  std::uint64_t drop_bad_response = 0;
  std::uint64_t drop_access = 0;  ///< UC: rkey, range or rights do not permit the WRITE
};

struct CounterEntry {
  std::string_view name;
  std::uint64_t Counters::*member;
};
/// All counters in the order of the struct.
std::span<const CounterEntry> counter_table();

}  // namespace rocelab::rxe
