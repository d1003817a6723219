// A queue pair with its completion queues and a registered buffer, and the calls that take it through its states. Two
// of them, connected, are what most tests talk to. Calls return what the engine returned; expect.h turns that into
// assertions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tests/rxe/harness/pair.h"
#include "tests/rxe/harness/side.h"

namespace rocelab::test {

struct QpOptions {
  rxe::QpType type = rxe::QpType::kRc;
  rxe::PathMtu mtu = rxe::PathMtu::k1024;
  std::uint32_t psn = 1000;  ///< first PSN this side sends
  std::uint8_t timeout = 14;
  std::uint8_t retry_cnt = 3;
  std::uint8_t rnr_retry = 3;
  std::uint8_t min_rnr_timer = 12;  ///< 640 us
  std::uint8_t max_rd_atomic = 4;
  std::uint8_t max_dest_rd_atomic = 4;
  std::uint32_t access = rxe::access::kRemoteWrite | rxe::access::kRemoteRead | rxe::access::kRemoteAtomic;
  rxe::QpCap cap{.max_send_wr = 64, .max_recv_wr = 64, .max_send_sge = 8, .max_recv_sge = 8, .max_inline_data = 256};
  bool sq_sig_all = false;
  std::optional<rxe::SrqId> srq = std::nullopt;
  std::uint8_t sgid_index = kGidV2Ipv4;
  std::uint8_t traffic_class = 0;
  std::uint32_t qkey = 0x1111'1111;
  std::uint32_t cqe = 256;
  std::size_t buffer_bytes = 64 * 1024;
};

class Endpoint {
 public:
  /// Creates everything; the QP is in RESET. `valid()` says whether all calls succeeded.
  Endpoint(Side& side, const QpOptions& options);
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  Side& side;
  QpOptions options;
  rxe::CqId send_cq{};
  rxe::CqId recv_cq{};
  rxe::Qpn qpn = 0;
  Region memory;
  /// XRC (options.type is kXrcSend): an endpoint is an initiator, `qpn`, a target, and a shared receive queue in a
  /// domain of their own, so that it can do what an RC endpoint can. States are changed for both QPs.
  rxe::Qpn target = 0;
  rxe::XrcdId xrcd{};
  rxe::SrqId srq{};
  std::uint32_t peer_srq_number = 0;
  bool is_xrc() const { return options.type == rxe::QpType::kXrcSend; }
  /// The QP that receive completions name.
  rxe::Qpn receiving_qpn() const { return is_xrc() ? target : qpn; }
  /// Takes everything from the engine; false when it does not let go.
  bool destroy();
  bool valid() const { return valid_; }
  /// What events name: the CQs' users are &send_cq and &recv_cq, the QP's user is this endpoint.

  base::Result<void> to_init();
  base::Result<void> to_rtr(unsigned peer_number, rxe::Qpn peer_qpn, std::uint32_t peer_psn);
  base::Result<void> to_rts();
  base::Result<void> to_state(rxe::QpState state);
  base::Result<void> modify(const rxe::QpAttr& attr, std::uint32_t mask);
  /// Brings the target to RTS, towards the peer's initiator.
  bool connect_target(const Endpoint& peer);
  rxe::QpState state() const;
  rxe::QpAttr init_attr() const;
  rxe::QpAttr rtr_attr(unsigned peer_number, rxe::Qpn peer_qpn, std::uint32_t peer_psn) const;
  rxe::QpAttr rts_attr() const;
  std::uint32_t init_mask() const;
  std::uint32_t rtr_mask() const;
  std::uint32_t rts_mask() const;

  base::Result<void> post(Work& work);
  base::Result<void> post(Work&& work) { return post(work); }
  base::Result<void> recv(std::uint64_t wr_id, std::span<const rxe::Sge> sges);
  /// A receive into this endpoint's own buffer.
  base::Result<void> recv(std::uint64_t wr_id, std::size_t offset, std::size_t length);

  std::optional<rxe::Completion> poll(rxe::CqId cq);
  rxe::Sge sge(std::size_t offset, std::size_t length) const { return memory.sge(offset, length); }
  Remote remote(std::size_t offset) const { return memory.remote(offset); }

 private:
  bool make_target();
  bool make_queue();

  bool valid_ = true;
};

/// Two connected endpoints of a Pair, in RTS. The second's starting PSN is options.psn + 4000 unless b_options says so.
struct Connection {
  Connection(Pair& pair, const QpOptions& options = {});
  Connection(Pair& pair, const QpOptions& a_options, const QpOptions& b_options);

  Endpoint a;
  Endpoint b;
  bool valid = false;
};

/// Brings both to RTS, each the other's peer (UD and GSI need no peer).
bool connect(Endpoint& a, Endpoint& b);

}  // namespace rocelab::test
