// Everything a device owns, as the parts of the transport see it: the tables, the QPs, the timers and the list of QPs
// with something to say. Device::Impl is one of these. The parts (requester, completer, responder, ...) are functions
// that take the Engine and the Qp they act on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/rng.h"
#include "mm/region_table.h"
#include "rxe/address_handle.h"
#include "rxe/counters.h"
#include "rxe/cq.h"
#include "rxe/domain_table.h"
#include "rxe/event_queue.h"
#include "rxe/flow_table.h"
#include "rxe/gid_table.h"
#include "rxe/local_memory.h"
#include "rxe/multicast.h"
#include "rxe/notification_delay.h"
#include "rxe/qp.h"
#include "rxe/qp_state.h"
#include "rxe/ready_list.h"
#include "rxe/slot_table.h"
#include "rxe/srq.h"
#include "rxe/timer_queue.h"
#include "rxe/types.h"
#include "wire/packet.h"

namespace rocelab::rxe {

inline constexpr std::uint16_t kDefaultPkey = 0xffff;   ///< IBTA vol 1, 10.9.1: full member of the default partition
inline constexpr std::uint32_t kGsiQkey = 0x8001'0000;  ///< IBTA vol 1, 3.5.3 and 9.8.3
inline constexpr std::uint32_t kQkeyControlled = 1u << 31;  ///< IBTA vol 1, 10.2.5: use the QP's own

struct Engine {
  explicit Engine(const DeviceOptions& device_options);

  DeviceOptions options;
  Counters counters;
  mm::RegionTable regions;
  ReadyLists ready;
  TimerQueue timers;
  NotificationDelay delay{timers};       ///< of CQs; they take themselves out
  std::vector<std::unique_ptr<Qp>> qps;  ///< by qpn - qpn_first, as far as numbers have been handed out
  std::unique_ptr<Qp> gsi;
  std::vector<wire::Segment> segments;  ///< scratch: a packet's gather list
  std::vector<MemoryPiece> places;      ///< scratch: where a packet's payload goes
  EventQueue events;
  GidTable gids;
  PdTable pds;
  SlotTable<CompletionQueue> cqs;
  SlotTable<SharedReceiveQueue> srqs;
  XrcDomainTable xrc_domains;
  SlotTable<AddressHandle> ahs;
  MulticastTable multicast;
  FlowTable flows;
  std::vector<Qp*> qp_of_timer;            ///< by index of the timer queue
  std::vector<std::uint32_t> free_timers;  ///< indices that nobody uses
  std::uint32_t qp_count = 0;
  std::uint32_t qpn_cursor = 0;   ///< where the search for a free QPN begins, so that QPNs are reused late
  std::optional<bool> port_up;    ///< as told; a port nobody has spoken of is up
  std::vector<std::byte> bounce;  ///< scratch: one datagram's payload, contiguous; allocated when needed

  ReadyLists::Mask paused = 0;  ///< priorities whose QPs do not speak
  std::uint32_t poll_turn = 0;  ///< counts poll_transmit
  base::Rng entropy_rng;
  std::uint32_t ack_interval;  ///< packets from one that asks for an ACK to the next, within a message

  /// How the storage of new queues is allocated.
  Storage queue_storage() const { return options.queues_grow ? Storage::kGrowing : Storage::kAtOnce; }
  /// The QP's responder has an ACK, NAK or CNP to send.
  void add_control(Qp& qp) {
    if (options.control_priority == DeviceOptions::kOwnPriority) [[likely]] {
      ready.add(qp);
    } else {
      ready.control.add(qp);
    }
  }
  /// ACKs, NAKs and CNPs go in a priority of their own, which is paused.
  bool control_paused() const { return (paused >> (options.control_priority & 7) & 1) != 0; }
  /// nullptr when no QP has this number.
  Qp* find_qp(Qpn qpn) const {
    const std::uint32_t index = qpn - options.qpn_first;
    if (index < qps.size()) [[likely]]
      return qps[index].get();
    return qpn == kGsiQpn ? gsi.get() : nullptr;
  }
  CompletionQueue* find_cq(CqId id) const { return cqs.find(static_cast<std::uint32_t>(id)); }
  SharedReceiveQueue* find_srq(SrqId id) const { return srqs.find(static_cast<std::uint32_t>(id)); }
  AddressHandle* find_ah(AhId id) const { return ahs.find(static_cast<std::uint32_t>(id)); }
};

}  // namespace rocelab::rxe
