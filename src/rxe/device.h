// The engine's whole surface towards the world: one RoCE device as a passive state machine. It does no I/O, reads no
// clock and draws no randomness of its own (DESIGN.md, "The one rule"). There are four kinds of method: getters,
// handle_* (what happened), verbs calls (what the application wants) and poll_* (what to do next).
//
// Not thread-safe: the owner serialises calls (src/runtime holds one lock a device; the simulator has one thread).
// `now` never decreases from call to call. After warm-up the data path (post_*, handle_packet, poll_transmit, poll_cq)
// allocates nothing. Verbs calls fail with the errno that libibverbs documents and then have changed nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "rxe/counters.h"
#include "rxe/types.h"
#include "wire/packet.h"

namespace rocelab::rxe {

using base::Result;

/// Where poll_transmit puts packets. Owned by whoever drives the device.
class TxSink {
 public:
  virtual ~TxSink() = default;
  /// Takes the packet (its payload pieces are valid during the call only) or says "no room now" by false; the engine
  /// then has changed nothing for that QP and offers the packet again at a later poll_transmit.
  virtual bool transmit(const wire::Packet& packet) = 0;
};

class Device {
 public:
  explicit Device(const DeviceOptions& options);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // --- what happened ---------------------------------------------------------------------------------------------
  /// A packet for this device has arrived, ICRC and lengths already checked by the edge. Everything else about it is
  /// hostile until proven otherwise.
  void handle_packet(TimePoint now, const wire::Packet& packet);
  /// A whole Ethernet frame, for raw packet QPs. `roce`: the owner has a packet in it and hands that over by
  /// handle_packet; sniffers alone want it. true: a rule has taken it.
  bool handle_frame(TimePoint now, std::span<const std::byte> frame, bool roce);
  /// Spurious calls are harmless.
  void handle_timeout(TimePoint now);
  void handle_port_state(TimePoint now, bool up);

  // --- what to do next -------------------------------------------------------------------------------------------
  /// Offers at most burst_max packets to the sink, round robin over the QPs that have something to say (responses
  /// before requests within a QP). Returns how many were taken. With `hold_acks` a QP's requests do not wait for the
  /// positive acknowledgement that it owes; that stays owed.
  std::size_t poll_transmit(TimePoint now, TxSink& sink, std::size_t burst_max, bool hold_acks = false);
  /// Priorities (bits, by wire::Path::priority) that may not send now, as PFC demands: QPs of theirs keep their place
  /// and are not asked. Timeouts go on. A datagram QP counts as of priority 0.
  void set_paused(std::uint8_t priorities);
  /// True when poll_transmit would offer a packet now (pacing by congestion control may defer it to next_timeout).
  bool has_transmit() const;
  /// All that has_transmit() stands for is positive acknowledgements: the owner may let them wait for what else is
  /// about to be sent. Looks at a few QPs and says no when there are more.
  bool only_acks_wait() const;
  /// When handle_timeout (and then poll_transmit) must be called at the latest.
  std::optional<TimePoint> next_timeout() const;
  /// Never later than next_timeout(), and cheaper: for an owner that looks at every turn and need not sleep.
  std::optional<TimePoint> next_timeout_bound() const;
  /// The same, `none` when there is nothing: for an owner who asks after every packet.
  TimePoint next_timeout_bound_or(TimePoint none) const;
  /// Completion notifications and asynchronous events, oldest first.
  std::optional<Event> poll_event();

  // --- tables ----------------------------------------------------------------------------------------------------
  Result<void> set_gid(std::size_t index, const GidEntry& entry);
  Result<GidEntry> gid(std::size_t index) const;
  const DeviceOptions& options() const;
  const Counters& counters() const;

  // --- protection domains, memory --------------------------------------------------------------------------------
  Result<PdId> alloc_pd();
  Result<void> dealloc_pd(PdId pd);  ///< EBUSY while anything uses it
  Result<MrInfo> reg_mr(const MrInit& init);
  Result<MrInfo> alloc_mr(PdId pd, std::uint64_t length_max);  ///< for fast registration; unusable until kRegMr
  struct ReregMask {
    static constexpr std::uint32_t kTranslation = 1u << 0, kPd = 1u << 1, kAccess = 1u << 2;
  };
  Result<MrInfo> rereg_mr(MrId mr, std::uint32_t mask, const MrInit& init);
  Result<void> dereg_mr(MrId mr);  ///< EBUSY while a memory window is bound to it
  Result<MwInfo> alloc_mw(PdId pd, MwType type);
  Result<void> dealloc_mw(MwId mw);
  /// Type 1 binding's next key: the same index, the variant byte advanced.
  Result<std::uint32_t> next_mw_rkey(MwId mw) const;

  // --- completion queues -----------------------------------------------------------------------------------------
  Result<CqId> create_cq(std::uint32_t cqe_min, void* user);
  Result<void> destroy_cq(CqId cq);  ///< EBUSY while a QP uses it
  Result<void> resize_cq(CqId cq, std::uint32_t cqe_min);
  std::uint32_t cq_capacity(CqId cq) const;
  std::size_t poll_cq(CqId cq, std::span<Completion> out);
  std::size_t cq_pending(CqId cq) const;
  /// When the completion that poll_cq would return first was added; nothing when the queue is empty or unknown.
  std::optional<TimePoint> next_completion_time(CqId cq) const;
  Result<void> req_notify_cq(CqId cq, bool solicited_only);
  /// CQ moderation: a notification waits for `count` completions (0: no number) or for `period` after the first,
  /// whichever is sooner. A period of zero: it waits for nothing.
  Result<void> modify_cq(CqId cq, std::uint16_t count, Duration period);

  // --- shared receive queues -------------------------------------------------------------------------------------
  Result<SrqId> create_srq(PdId pd, SrqAttr& attr, void* user);  ///< attr is rounded up on return
  Result<void> modify_srq(SrqId srq, const SrqAttr& attr, bool set_max_wr, bool set_limit);
  Result<SrqAttr> query_srq(SrqId srq) const;
  Result<void> destroy_srq(SrqId srq);  ///< EBUSY while a QP uses it
  Result<void> post_srq_recv(SrqId srq, const RecvRequest& request);

  // --- XRC ---------------------------------------------------------------------------------------------------------
  Result<XrcdId> alloc_xrcd();
  Result<void> dealloc_xrcd(XrcdId xrcd);  ///< EBUSY while a QP or a shared receive queue lives in it
  /// A shared receive queue that peers name in their requests; its receives complete on `cq`.
  Result<SrqId> create_xrc_srq(PdId pd, XrcdId xrcd, CqId cq, SrqAttr& attr, void* user);
  Result<std::uint32_t> srq_number(SrqId srq) const;  ///< EOPNOTSUPP: the queue is a plain one
  /// One more user of an XRC target, who hears of its events, too. The QP goes with the last close_qp.
  Result<QpType> open_qp(Qpn qpn, XrcdId xrcd, void* user);
  Result<void> close_qp(Qpn qpn, void* user);  ///< also for QPs that nobody else has opened

  // --- queue pairs -----------------------------------------------------------------------------------------------
  Result<Qpn> create_qp(QpInit& init);  ///< init.cap is rounded up on return
  Result<void> modify_qp(TimePoint now, Qpn qpn, const QpAttr& attr, std::uint32_t mask);
  Result<QpAttr> query_qp(Qpn qpn) const;
  /// Request packets that the QP has sent again since it was created, modulo 2^32; 0 when there is no such QP.
  std::uint32_t resent_packets(Qpn qpn) const;
  Result<void> destroy_qp(Qpn qpn);  ///< EBUSY while a multicast group or a steering rule names it
  Result<void> post_send(TimePoint now, Qpn qpn, const SendRequest& request);
  /// Requests of this QP do not begin before `until`, unless it has some to send already: the way from a program to a
  /// NIC, which the simulator models. To be called before post_send.
  void hold_requests(Qpn qpn, TimePoint until);
  /// Whether post_send would take all of these, one after the other: for callers who must post all or nothing.
  Result<void> check_sends(Qpn qpn, std::span<const SendRequest> requests) const;
  Result<void> post_recv(TimePoint now, Qpn qpn, const RecvRequest& request);
  /// Steers frames to a raw packet QP. EINVAL: the QP is none; ENOMEM: too many rules.
  Result<FlowId> create_flow(const FlowRule& rule);
  Result<void> destroy_flow(FlowId flow);
  /// Some QP wants a copy of every frame.
  bool sniffs() const;
  Result<void> attach_mcast(Qpn qpn, const wire::Gid& group);
  Result<void> detach_mcast(Qpn qpn, const wire::Gid& group);
  /// The groups that some QP is attached to, and a number that differs after each change of them.
  std::vector<wire::Gid> multicast_groups() const;
  std::uint32_t multicast_changes() const;

  // --- address handles -------------------------------------------------------------------------------------------
  Result<AhId> create_ah(PdId pd, const AddressVector& av);
  Result<void> destroy_ah(AhId ah);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rocelab::rxe
