// One end of a link, owned by value by a switch or a host: sends one packet after the other at the link's rate, obeys
// received PFC pause frames, and hands arriving packets to its node unless the link spoiled them. A packet that begins
// to leave is scheduled to arrive at once; the port wakes itself up (kPortFree) only when something waits behind it.
//
// The node passes the events of event_kind on: kArrival to accept(), kPortFree to handle_free(), kPauseExpired to
// handle_pause_expired(), kLinkState to handle_link_state(), kBitErrors to set_bit_errors(). Two cache lines: one for
// sending, one for receiving; what few ports need (pauses, link effects) is allocated when it is.
#pragma once

#include <cstdint>
#include <memory>

#include "sim/fabric/event_kinds.h"
#include "sim/fabric/link_effects.h"
#include "sim/fabric/packet.h"
#include "sim/fabric/packet_pool.h"
#include "sim/fabric/rate.h"
#include "sim/kernel/context.h"

namespace rocelab::sim {

/// Where a port gets its packets from. Port's functions are templates, so that a final class costs no virtual call.
class PacketSource {
 public:
  virtual ~PacketSource() = default;
  /// The next packet to send, of a priority whose bit in `paused_mask` is not set; nullptr when there is none. Whoever
  /// has something later calls Port::kick().
  virtual Packet* next(Context& context, std::uint8_t paused_mask) = 0;
  /// False only if next() would certainly return nullptr: spares the port an event.
  virtual bool has_more(std::uint8_t paused_mask) const {
    static_cast<void>(paused_mask);
    return true;
  }
  /// A guess at what next() will return, for the caches alone.
  const Packet* upcoming() const { return nullptr; }
};

struct PortOptions {
  NodeId node = kNoNode;  ///< the owner
  NodeId peer = kNoNode;
  std::uint16_t peer_port = 0;
  std::uint16_t port = 0;       ///< this port's own number
  std::uint64_t rate_bps = 0;   ///< at least 1
  Duration delay;               ///< propagation, plus what the receiver takes before it can queue the packet
  bool peer_is_switch = false;  ///< it understands what only switches send each other
};

struct PortCounters {
  std::uint64_t tx_packets = 0;     ///< pause frames included
  std::uint64_t tx_bytes = 0;       ///< of frames: without preamble and gap
  std::uint64_t rx_packets = 0;     ///< whole and undamaged
  std::uint64_t rx_bytes = 0;       ///< of those
  std::uint64_t tx_lost = 0;        ///< sent, and lost by the link's effects
  std::uint64_t tx_corrupted = 0;   ///< sent, and damaged by the link's effects
  std::uint64_t rx_fcs_errors = 0;  ///< dropped: damaged
  std::uint64_t rx_link_down = 0;   ///< lost: the link went down while they were on it
  std::uint64_t pause_tx = 0;       ///< PFC frames sent, resuming ones included
  std::uint64_t pause_rx = 0;
};

/// What a port knows of received pauses, by priority.
struct PauseState {
  std::uint64_t until_ps[kPriorities] = {};       ///< when it runs out, for priorities in paused_mask()
  std::uint64_t since_ps[kPriorities] = {};       ///< when the present pause began, likewise
  std::uint64_t total_ps[kPriorities] = {};       ///< time paused, the present pause not included
  std::uint64_t last_frame_ps[kPriorities] = {};  ///< when a frame last paused it
  std::uint64_t frames_rx[kPriorities] = {};      ///< frames that paused it
  std::uint64_t wake_ps = ~0ull;                  ///< the earliest kPauseExpired that is scheduled
};

inline constexpr std::uint32_t kPauseFrameBytes = 64 + kEthernetGapBytes;  ///< on the wire
inline constexpr std::uint64_t kPauseQuantumBytes = 512 / 8;               ///< IEEE 802.1Q, 36.2: 512 bit times

class alignas(64) Port {
 public:
  /// What became of an arriving packet.
  enum class Arrival : std::uint8_t {
    kPacket,  ///< good: the node has it now
    kPause,   ///< was a pause frame; paused_mask() may have changed. Gone
    kGone,    ///< dropped and counted
  };

  /// Before the run. The kernel must have been told at most `delay` as the two nodes' latency.
  void attach(const PortOptions& options);
  void set_effects(std::unique_ptr<LinkEffects> effects, PacketPools& pools);
  /// Creates the effects when there are none and the rate is not 0; `rng` serves then.
  void set_bit_errors(std::uint64_t per_1e18, const base::Rng& rng, PacketPools& pools);

  /// Sends if idle and there is something to send. Call it when something has become available.
  template <class Source>
  void kick(Context& context, Source& source);
  template <class Source>
  void handle_free(Context& context, Source& source);
  template <class Source>
  void handle_pause_expired(Context& context, Source& source);
  template <class Source>
  Arrival accept(Context& context, Packet* packet, Source& source, PacketPools& pools);
  /// Down: what is on the wire and the pauses are lost. Queued packets are the node's business.
  template <class Source>
  void handle_link_state(Context& context, bool up, Source& source, PacketPools& pools);

  /// Sends a PFC frame ahead of everything that waits: priorities of `enable` are paused for `quanta` (0: resumed).
  template <class Source>
  void send_pause(Context& context, std::uint8_t enable, std::uint16_t quanta, Source& source, PacketPools& pools);
  /// Pauses of these priorities are not obeyed from now on (a watchdog's "forward").
  template <class Source>
  void ignore_pauses(Context& context, std::uint8_t mask, Source& source);

  /// Fetch what sending or receiving will touch.
  void prefetch_tx() const { __builtin_prefetch(&busy_until_ps_, 1); }
  void prefetch_rx() const { __builtin_prefetch(&rx_packets_, 1); }

  NodeId peer() const { return peer_; }
  std::uint16_t peer_port() const { return peer_port_; }
  std::uint16_t number() const { return number_; }
  bool peer_is_switch() const { return peer_is_switch_; }
  bool attached() const { return peer_ != kNoNode; }
  bool up() const { return (epoch_ & 1) == 0; }
  Rate rate() const { return rate_; }
  Duration delay() const { return Duration::ps(static_cast<std::int64_t>(delay_ps_)); }
  std::uint64_t busy_until_ps() const { return busy_until_ps_; }
  bool idle(TimePoint now) const { return now.count_ps() >= busy_until_ps_; }
  /// Priorities that may not be sent now, a bit each.
  std::uint8_t paused_mask() const { return paused_ & static_cast<std::uint8_t>(~ignored_); }
  std::uint8_t ignored_pauses() const { return ignored_; }
  /// Those that the peer has paused, obeyed or not.
  std::uint8_t received_pauses() const { return paused_; }
  std::uint64_t tx_bytes() const { return tx_bytes_; }
  PortCounters counters() const;
  /// nullptr when no pause has ever been received.
  const PauseState* pauses() const { return extras_ == nullptr ? nullptr : &extras_->pauses; }
  /// Time for which the priority has been paused, a present pause included.
  std::uint64_t paused_ps(std::uint8_t priority, TimePoint now) const;

 private:
  struct Extras {
    PauseState pauses;
    std::unique_ptr<LinkEffects> effects;
    PacketPools* pools = nullptr;  ///< for packets that the effects lose
    std::uint64_t tx_lost = 0;
    std::uint64_t tx_corrupted = 0;
    std::uint64_t pause_tx = 0;
    std::uint64_t pause_rx = 0;
  };

  void transmit(Context& context, Packet* packet);
  /// False when the packet is lost (and freed).
  bool pass_effects(Context& context, Packet* packet);
  template <class Source>
  void request_free(Context& context, const Source& source);
  Packet* pop_control();
  void push_control(Packet* packet);
  Extras& extras();
  /// True when something may be sent that could not before.
  bool take_pause(Context& context, const Packet& packet);
  bool expire_pauses(Context& context);
  void end_pause(std::uint8_t priority, std::uint64_t now_ps);
  void change_link(Context& context, bool up, PacketPools& pools);
  Arrival drop_damaged(Context& context, Packet* packet, PacketPools& pools);
  Packet* make_pause(Context& context, std::uint8_t enable, std::uint16_t quanta, PacketPools& pools);

  // The sending line.
  std::uint64_t busy_until_ps_ = 0;
  std::uint64_t tx_bytes_ = 0;
  std::uint64_t tx_packets_ = 0;
  std::uint64_t delay_ps_ = 0;
  Packet* control_ = nullptr;      ///< pause frames that wait for the packet being sent
  std::uint32_t ps_per_byte_ = 0;  ///< 0: not a whole number, ask rate_
  NodeId peer_ = kNoNode;
  NodeId node_ = kNoNode;
  std::uint16_t peer_port_ = 0;
  std::uint8_t epoch_ = 0;  ///< changes of the link's state; odd: down
  std::uint8_t paused_ = 0;
  std::uint8_t ignored_ = 0;
  bool free_pending_ = false;
  bool disturbed_ = false;  ///< has link effects
  bool peer_is_switch_ = false;
  // The receiving line.
  std::uint64_t rx_packets_ = 0;
  std::uint64_t rx_bytes_ = 0;
  std::uint64_t rx_fcs_errors_ = 0;
  std::uint64_t rx_link_down_ = 0;
  Rate rate_;
  std::unique_ptr<Extras> extras_;
  std::uint16_t number_ = 0;
  std::uint8_t rx_epoch_ = 0;  ///< the same as epoch_
};
static_assert(sizeof(Port) == 128);

}  // namespace rocelab::sim

#include "sim/fabric/port_inline.h"
