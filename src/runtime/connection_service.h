// Connection management (src/cm) of one LocalDevice in real time: a Manager under the process's engine lock, whose MADs
// travel with the device's other packets and whose deadlines are the progress thread's. Made by
// LocalDevice::connections() at first use; a process that never asks for it pays nothing. Lives as long as its device.
//
// The lock order of everything above: the engine lock is taken first, by with_manager(); the handler runs with it held.
// So a user that keeps its own state under that lock alone (touching it in with_manager() and in the handler) needs no
// other lock and cannot deadlock. While the lock is held nothing else of this object or of the process's devices may be
// called but the Manager. All devices of a process share one lock.
//
// Thread-safety: every method from any thread. After fork() in the child, and after the Host has retired, calls fail
// with ENODEV.
#pragma once

#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "base/result.h"
#include "cm/manager.h"
#include "runtime/cm_page.h"
#include "runtime/routes.h"
#include "rxe/device.h"
#include "wire/packet.h"

namespace rocelab::runtime {

using base::Result;

class Driver;
class LocalDevice;

/// Takes the Manager's events in order, with the engine lock held, from whichever thread drives. It may call `manager`
/// (answers leave before the lock is given back); it must be short and must call nothing else of the process's devices.
class ConnectionHandler {
 public:
  virtual ~ConnectionHandler() = default;
  virtual void on_connection_event(cm::Manager& manager, base::TimePoint now, const cm::Event& event) noexcept = 0;
};

class ConnectionService {
 public:
  ~ConnectionService();
  ConnectionService(const ConnectionService&) = delete;
  ConnectionService& operator=(const ConnectionService&) = delete;

  /// nullptr (at first): events wait in the Manager until there is a handler.
  void set_handler(ConnectionHandler* handler);

  /// Runs `f(cm::Manager&, base::TimePoint now) -> Result<T>` under the engine lock, then sends what became due and
  /// delivers events (also those of other devices of the process), then unlocks.
  template <class F>
  std::invoke_result_t<F, cm::Manager&, base::TimePoint> with_manager(F&& f) {
    if (!usable()) return base::fail(ENODEV, "the device does not survive fork()");
    const base::TimePoint now = enter();
    auto result = std::forward<F>(f)(manager_, now);
    leave(now);
    return result;
  }

  /// The path that an address vector names, for ReqParam::path and SidrReqParam::path. av.destination_mac has been
  /// found by LocalDevice::resolve(). EINVAL as for an address handle.
  Result<wire::Path> path_of(const rxe::AddressVector& av);

  /// What modify_qp needs to bring the id's QP into a state, as the kernel's ib_cm_init_qp_attr says it: kInit, kRtr
  /// (from kReqRcvd, kRepRcvd on) and kRts. qp_attr bits are in `mask`. EINVAL: not in the id's state.
  struct QpChange {
    rxe::QpAttr attr;
    std::uint32_t mask = 0;
  };
  Result<QpChange> qp_change(cm::Id id, rxe::QpState to);
  /// The same for a caller that holds the lock (in with_manager or the handler).
  Result<QpChange> qp_change_locked(cm::Id id, rxe::QpState to) const;

  // --- ports of rdma_cm, one space for all processes of the host (cm_page.h); no engine lock is taken ----------------
  Result<PortBinding> bind_port(const PortClaim& claim);
  /// From now on requests for the port go to this process (on this device): call it after Manager::listen. EADDRINUSE:
  /// the port is shared with another binding (PortClaim::reuse).
  Result<void> listen_port(PortHandle port);
  void release_port(PortHandle port);
  /// Where a request for a service without a port (PortSpace::kIb by IB address, or any id of one's own) goes.
  Result<PortHandle> publish_service(const cm::Service& service);

 private:
  friend class Driver;
  friend class RxPath;

  /// The other processes, as the host's pages and routes know them.
  class Others final : public cm::Neighbours {
   public:
    Others(const CmPage& page, const HostPage& host, Routes& routes, std::uint32_t device)
        : page_(page), host_(host), routes_(routes), device_(device) {}
    std::optional<std::uint8_t> owner_of(std::uint64_t service_id,
                                         std::span<const std::byte> private_data) const override;
    bool is_alive(std::uint8_t slot) const override;
    bool we_speak() const override;
    bool is_local(const wire::Gid& gid) const override;

   private:
    const CmPage& page_;
    const HostPage& host_;
    Routes& routes_;
    const std::uint32_t device_;
  };

  ConnectionService(Driver& driver, LocalDevice& device, rxe::Device& engine, CmPage& page, const HostPage& host,
                    Routes& routes, std::uint64_t seed);

  bool usable() const;
  base::TimePoint enter();
  void leave(base::TimePoint now);

  // --- for Driver, RxPath; under the lock ----------------------------------------------------------------------------
  /// False: it is none of ours, let the engine have it.
  bool handle_packet(base::TimePoint now, const wire::Packet& packet);
  bool has_transmit() const { return manager_.next_send() != nullptr; }
  bool transmit(rxe::TxSink& sink);  ///< true: something was taken
  bool run_timers(base::TimePoint now);
  std::optional<base::TimePoint> next_timeout() const;
  bool deliver(base::TimePoint now);  ///< true: there was an event
  void process_died(std::uint32_t slot, base::TimePoint now);
  /// Ends all connections: the process is leaving.
  void retire(base::TimePoint now);
  void watch(base::TimePoint now);

  Driver& driver_;
  LocalDevice& device_;
  rxe::Device& engine_;
  CmPage& page_;
  const HostPage& host_;
  Others others_;
  cm::Manager manager_;
  ConnectionHandler* handler_ = nullptr;
  std::uint32_t next_psn_;
  // Processes of the host that connections lead to: a slot's generation when it was first seen.
  std::array<std::uint32_t, kSlotsMax + 1> watched_{};
  base::TimePoint next_watch_;
  static constexpr base::Duration kWatchEvery = base::Duration::ms(200);
};

}  // namespace rocelab::runtime
