// This process's links to the other processes of the host: one memif port a peer slot, made when the first packet needs
// it. Of two processes the one with the lower slot is the server. Until a link is up its packets wait in the engine; a
// link whose peer has died is dropped at once and its packets are too, so that the requester's retries come to an end.
//
// Making and destroying a port takes milliseconds: the progress thread does it without the engine lock. What is needed
// is handed out as Chores by collect() and comes back by install() or give_up(). Owned by the Driver; every method runs
// under its lock.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "net/port.h"
#include "runtime/control_socket.h"
#include "runtime/host_counters.h"
#include "runtime/host_page.h"
#include "runtime/outlet.h"

namespace rocelab::runtime {

using base::TimePoint;

struct Link {
  enum class State : std::uint8_t {
    kNone,
    kWanted,      ///< no port yet
    kConnecting,  ///< we have our end
    kUp,
    kRefused,  ///< could not be made; packets are dropped for a while
  };
  State state = State::kNone;
  bool unflushed = false;   ///< is in Links::unflushed_
  bool full = false;        ///< had no room for the last frame
  bool peer_ready = false;  ///< the peer has invited us
  bool making = false;      ///< a chore is under way
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  ///< of the peer
  std::uint32_t rung = 0;        ///< number of the peer's sleep that we have rung for
  TimePoint since;               ///< when the state was entered
  TimePoint full_since;
  TimePoint invited;  ///< when we last told the peer
  std::unique_ptr<net::Port> port;
  Outlet outlet;  ///< of `port`
};

class Links {
 public:
  static constexpr base::Duration kConnectMax = base::Duration::s(30);
  static constexpr base::Duration kRefusedFor = base::Duration::s(1);
  static constexpr base::Duration kInviteEvery = base::Duration::ms(20);
  static constexpr base::Duration kConnectTick = base::Duration::us(500);
  static constexpr base::Duration kSweepEvery = base::Duration::ms(1);
  static constexpr base::Duration kFullMax = base::Duration::s(1);

  Links(HostPage& page, const ControlSocket& control, ProcessCounters& counters);

  // --- data path ---------------------------------------------------------------------------------------------------
  enum class Answer : std::uint8_t { kGo, kWait, kNobody };
  /// The link to a slot: there, on its way, or nobody lives there. Asks for the link when there is none.
  Answer find(std::uint32_t slot, TimePoint now, Link*& link) {
    link = &links_[slot & kSlotsMax];
    if (link->state == Link::State::kUp) return Answer::kGo;
    return find_slowly(*link, slot, now);
  }
  /// The link had no room. True: it has been so for too long, drop the frame.
  bool full_too_long(Link& link, TimePoint now);
  /// The frame in the link's reservation is complete.
  void commit(Link& link, std::size_t bytes, TimePoint now) {
    link.outlet.commit(bytes, now);
    link.full = false;
    if (link.unflushed) return;
    link.unflushed = true;
    unflushed_.push_back(&link);
  }
  /// Sends what was committed and rings the doorbells of sleeping peers.
  void flush(TimePoint now) {
    if (!unflushed_.empty()) flush_all(now);
  }
  /// Committed frames have not left yet: flush() again soon.
  bool has_backlog() const { return !unflushed_.empty(); }
  /// Those that may have frames for us, in no order.
  std::span<Link* const> live() const { return live_; }
  /// Looks for links whose peer is gone; cheap when it was done within kSweepEvery.
  void sweep(TimePoint now) {
    if (!live_.empty() && now - swept_ >= kSweepEvery) sweep_now(now);
  }

  // --- control path ------------------------------------------------------------------------------------------------
  struct Chore {
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
    bool server = false;
  };
  /// True when collect() would find something: the progress thread is needed.
  bool needs_thread() const { return news_; }
  /// Ports to make. Invites peers, gives up what takes too long.
  std::vector<Chore> collect(TimePoint now);
  void install(const Chore& chore, std::unique_ptr<net::Port> port, TimePoint now);
  void give_up(const Chore& chore, TimePoint now);
  /// Ports to destroy, and peers to bury with HostPage::bury, without the lock.
  std::vector<std::unique_ptr<net::Port>> take_dropped();
  std::vector<Chore> take_dead();
  /// An invitation, or a peer that has noticed ours.
  void on_invitation(const ControlMessage& message, TimePoint now);
  /// The link that a leaving peer has sent its last frames on; nullptr: none.
  Link* leaving(const ControlMessage& message);
  void drop(Link& link);
  /// Drops the link, and for a while the packets of whoever asks for it.
  void refuse(Link& link, TimePoint now);
  /// When collect() is due again.
  std::optional<TimePoint> next_check() const;

 private:
  void flush_all(TimePoint now);
  Answer find_slowly(Link& link, std::uint32_t slot, TimePoint now);
  void want(Link& link, std::uint32_t slot, std::uint32_t generation, TimePoint now);
  void invite(Link& link, TimePoint now);
  void lose(Link& link);
  void sweep_now(TimePoint now);
  void release_port(Link& link);

  HostPage& page_;
  const ControlSocket& control_;
  ProcessCounters& counters_;
  std::array<Link, kSlotsMax + 1> links_;
  std::vector<Link*> live_;       ///< those with a port
  std::vector<Link*> unflushed_;  ///< those with committed frames that have not left
  std::vector<Link*> pending_;    ///< wanted or connecting
  std::vector<std::unique_ptr<net::Port>> dropped_;
  std::vector<Chore> dead_;
  TimePoint swept_;
  TimePoint checked_;
  bool news_ = false;
};

}  // namespace rocelab::runtime
