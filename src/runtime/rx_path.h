// Where packets come in: takes bursts of frames off a port, verifies and decodes them, finds the device they are for
// and hands them to its engine. What cannot be right is counted by reason and dropped. Owned by the Driver; runs under
// its lock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "net/port.h"
#include "runtime/config.h"
#include "runtime/handover.h"
#include "runtime/host_counters.h"
#include "runtime/routes.h"
#include "rxe/device.h"
#include "wire/packet.h"

namespace rocelab::runtime {

class ConnectionService;  // runtime/connection_service.h

class RxPath {
 public:
  RxPath(Routes& routes, ProcessCounters& counters, std::uint32_t slot)
      : routes_(routes), counters_(counters), slot_(slot) {}
  /// The engine of an open device; nullptr: closed.
  void set_engine(std::uint32_t index, rxe::Device* engine) { engines_[index] = engine; }
  /// Takes the device's management datagrams before its engine sees them.
  void set_connections(std::uint32_t index, ConnectionService* service) { connections_[index] = service; }

  /// `uplink` gives each frame to one process of the host, not always the right one: the others' are handed over.
  /// `groups_too`: that goes for multicast frames as well, and for answers about neighbours.
  void set_shared_uplink(net::Port* uplink, Handover* handover, bool groups_too) {
    shared_ = uplink, handover_ = handover, share_groups_ = groups_too;
  }

  /// To be called after verbs calls: whether a raw packet QP wants copies of everything.
  void follow_sniffers();

  /// One burst. Returns the number of frames.
  std::size_t receive(net::Port& port, base::TimePoint now);

 private:
  /// A frame that is no packet of ours may tell a port that looks for neighbours itself about one.
  bool is_about_neighbour(net::Frame frame, bool shared, base::TimePoint now);
  /// For raw packet QPs. true: one of them, or a rule, has taken it.
  bool steer(net::Frame frame, bool roce, base::TimePoint now);
  void dispatch(net::Frame frame, bool shared, base::TimePoint now);

  Routes& routes_;
  ProcessCounters& counters_;
  const std::uint32_t slot_;
  net::Port* shared_ = nullptr;
  bool sniffed_ = false;
  Handover* handover_ = nullptr;
  bool share_groups_ = false;
  std::array<rxe::Device*, kDevicesMax> engines_{};
  std::array<ConnectionService*, kDevicesMax> connections_{};
  std::array<net::Frame, net::kBurstMax> frames_;
  wire::Packet packet_;
};

}  // namespace rocelab::runtime
