// Where the engine's packets leave: picks the port by the destination GID and, on this host, by the process that the
// destination QPN names; encodes the packet into the port's frame. Owned by the Driver; runs under its lock.
#pragma once

#include <cstdint>
#include <utility>

#include "base/time.h"
#include "net/port.h"
#include "runtime/cm_page.h"
#include "runtime/host_counters.h"
#include "runtime/host_page.h"
#include "runtime/links.h"
#include "runtime/outlet.h"
#include "runtime/routes.h"
#include "rxe/device.h"

namespace rocelab::runtime {

class TxPath final : public rxe::TxSink {
 public:
  TxPath(Routes& routes, Links& links, HostPage& page, ProcessCounters& counters)
      : routes_(routes), links_(links), page_(page), counters_(counters) {}
  void set_loopback(net::Port* port) { loopback_.port = port; }
  /// `whole_frames`: it takes raw packets' frames, too.
  void set_uplink(net::Port* port, bool whole_frames) { uplink_.port = port, uplink_takes_raw_ = whole_frames; }
  /// From now on management datagrams go to those alone who take part.
  void set_cm_page(const CmPage* page) { cm_page_ = page; }

  /// To be called before packets are offered.
  void begin(TimePoint now) { now_ = now, blocked_ = false; }
  bool transmit(const wire::Packet& packet) override;
  /// Starts what links to other processes of the host are missing; true while one of them is on its way.
  bool meet_everybody(TimePoint now);
  /// Sends what was taken. Peers that sleep are woken.
  void flush(TimePoint now);
  /// A packet was not taken since begin(): its port is full or its link not up yet.
  bool blocked() const { return blocked_; }
  /// A port holds frames back: flush() again soon.
  bool has_backlog() const { return links_.has_backlog() || loopback_.backlog != 0 || uplink_.backlog != 0; }
  /// Frames were given to our own loopback since the last call.
  bool take_looped() { return std::exchange(looped_, false); }

 private:
  enum class Sent : std::uint8_t { kYes, kFull, kDropped };
  /// Reserves and encodes; `commit` gets the length.
  template <class Commit>
  Sent put(net::Port& port, const wire::Packet& packet, Commit&& commit);
  bool to_loopback(const wire::Packet& packet);
  bool to_uplink(const wire::Packet& packet);
  bool to_peer(std::uint32_t slot, const wire::Packet& packet);
  /// To every process of the host that `wants` it (slot); with `us` also to our own loopback.
  template <class Wants>
  bool to_all(const wire::Packet& packet, bool us, bool off_host_too, Wants&& wants);
  bool to_management(const wire::Packet& packet, std::uint32_t device);
  bool wait() {
    blocked_ = true;
    return false;
  }

  Routes& routes_;
  Links& links_;
  HostPage& page_;
  const CmPage* cm_page_ = nullptr;
  ProcessCounters& counters_;
  Outlet loopback_;
  Outlet uplink_;
  TimePoint now_;
  bool blocked_ = false;
  bool looped_ = false;
  bool uplink_takes_raw_ = false;
};

}  // namespace rocelab::runtime
