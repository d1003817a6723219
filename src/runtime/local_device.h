// One device of this host as one process uses it: owns an rxe::Device, serialises every call on it under the process's
// engine lock, and moves its packets. src/verbs calls nothing else for its verbs. Created and owned by runtime::Host;
// lives as long as the Host.
//
// Thread-safety: every method may be called from any thread. Control calls and posts wait for the engine lock (held for
// bounded bursts only); poll_cq does not wait while the program only polls. In a child of fork() the device is gone:
// every call fails with ENODEV and poll_cq finds nothing (usable() tells).
#pragma once

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "rxe/device.h"
#include "wire/gid.h"
#include "wire/mac.h"

namespace rocelab::runtime {

using base::Result;
using base::TimePoint;

class Driver;  // runtime/driver.h: lock, clock, ports and links of the process
class Host;

/// What is known about a device without opening it.
struct DeviceDescription {
  std::string name;  ///< "rocelab0"
  std::uint32_t index = 0;
  wire::MacAddress mac{};
  std::array<std::uint8_t, 8> node_guid{};  ///< EUI-64 of the MAC, network order as in ibv_get_device_guid
  rxe::PathMtu mtu = rxe::PathMtu::k4096;
  std::vector<rxe::GidEntry> gids;    ///< the initial GID table, index by index
  std::string interface;              ///< kernel interface of the uplink; empty: this machine only
  std::uint32_t interface_index = 0;  ///< 0: none
  std::uint32_t vendor_part_id = 0;   ///< ibv_device_attr.vendor_part_id
};

/// Takes the engine's events. on_event runs with the engine lock held, so the object behind event.user cannot be
/// destroyed meanwhile (destroying it needs the lock). It must be short (write an eventfd, queue the event) and must
/// not call the device. All events that a call causes are delivered before that call returns; events caused by packets
/// come from whichever thread drives.
class EventHandler {
 public:
  virtual ~EventHandler() = default;
  virtual void on_event(const rxe::Event& event) noexcept = 0;
};

class LocalDevice {
 public:
  ~LocalDevice();
  LocalDevice(const LocalDevice&) = delete;
  LocalDevice& operator=(const LocalDevice&) = delete;

  const DeviceDescription& description() const { return description_; }
  const rxe::DeviceAttr& limits() const { return limits_; }
  /// One handler a device and process (several ibv contexts share it: event.user tells whose it is; port events have
  /// none and go to all). nullptr: events are dropped.
  void set_event_handler(EventHandler* handler);
  bool usable() const;

  // --- control path ------------------------------------------------------------------------------------------------
  /// Runs `f(rxe::Device&, TimePoint now) -> Result<T>` under the engine lock, then sends what became due and delivers
  /// events. For every verbs call that is not below. `f` must not call this object.
  template <class F>
  std::invoke_result_t<F, rxe::Device&, TimePoint> with_engine(F&& f) {
    if (!usable()) return base::fail(ENODEV, "the device does not survive fork()");
    const TimePoint now = enter_to_control();
    auto result = std::forward<F>(f)(engine_, now);
    leave(now);
    return result;
  }
  /// Arms a CQ. Also tells the progress thread to take over at once: the caller is about to sleep.
  Result<void> req_notify_cq(rxe::CqId cq, bool solicited_only);
  /// The MAC that packets to `dgid` go to, for AddressVector::destination_mac. GIDs of this host's devices and
  /// multicast groups need no look-up; others ask the kernel's neighbour table on the uplink. EHOSTUNREACH: no way
  /// there; ETIMEDOUT: no answer; EINVAL: sgid_index is not in the table. May block for the neighbour's answer.
  Result<wire::MacAddress> resolve(const wire::Gid& dgid, std::uint8_t sgid_index);

  // --- data path ---------------------------------------------------------------------------------------------------
  /// The engine lock, held while a list of requests is posted; the destructor sends what is due once and unlocks. The
  /// holder makes no other call on this process's devices meanwhile.
  class Batch {
   public:
    explicit Batch(LocalDevice& device)
        : device_(device), open_(device.usable()), now_(open_ ? device.enter() : TimePoint()) {}
    ~Batch() {
      if (open_) device_.leave_after_post(now_);
    }
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;
    Result<void> post_send(rxe::Qpn qpn, const rxe::SendRequest& request) {
      if (!open_) return base::fail(ENODEV, "the device does not survive fork()");
      return device_.engine_.post_send(now_, qpn, request);
    }
    /// Posts all of them or, with an error, none.
    Result<void> post_sends(rxe::Qpn qpn, std::span<const rxe::SendRequest> requests) {
      if (!open_) return base::fail(ENODEV, "the device does not survive fork()");
      if (auto checked = device_.engine_.check_sends(qpn, requests); !checked) return checked;
      for (const rxe::SendRequest& request : requests) {
        if (auto posted = device_.engine_.post_send(now_, qpn, request); !posted) return posted;
      }
      return {};
    }
    Result<void> post_recv(rxe::Qpn qpn, const rxe::RecvRequest& request) {
      if (!open_) return base::fail(ENODEV, "the device does not survive fork()");
      return device_.engine_.post_recv(now_, qpn, request);
    }
    Result<void> post_srq_recv(rxe::SrqId srq, const rxe::RecvRequest& request) {
      if (!open_) return base::fail(ENODEV, "the device does not survive fork()");
      return device_.engine_.post_srq_recv(srq, request);
    }

   private:
    LocalDevice& device_;
    bool open_;
    TimePoint now_;
  };

  Result<void> post_send(rxe::Qpn qpn, const rxe::SendRequest& request) { return Batch(*this).post_send(qpn, request); }
  Result<void> post_recv(rxe::Qpn qpn, const rxe::RecvRequest& request) { return Batch(*this).post_recv(qpn, request); }
  Result<void> post_srq_recv(rxe::SrqId srq, const rxe::RecvRequest& request) {
    return Batch(*this).post_srq_recv(srq, request);
  }
  /// Pops completions; when there are none, moves packets once (receive, timers, transmit) and pops again. Returns how
  /// many were written to `out`. Does nothing while another thread is inside the engine, until a CQ has been armed for
  /// the first time: a program that then sleeps relies on an empty poll having seen everything.
  std::size_t poll_cq(rxe::CqId cq, std::span<rxe::Completion> out);

 private:
  friend class Host;
  friend class Driver;
  LocalDevice(Driver& driver, DeviceDescription description, const rxe::DeviceOptions& options);

  /// Takes the lock; returns the time of this call.
  TimePoint enter();
  /// The same, and sends what is owed: the call may end the QP that owes it.
  TimePoint enter_to_control();
  /// Sends what is due, delivers events, hands over to the progress thread what waits for a time, unlocks.
  void leave(TimePoint now);
  void leave_after_post(TimePoint now);
  /// Under the lock.
  void deliver_events();

  Driver& driver_;
  const DeviceDescription description_;
  const rxe::DeviceAttr limits_;
  rxe::Device engine_;
  EventHandler* handler_ = nullptr;
  std::atomic<bool> armed_before_{false};  ///< the program uses completion events
};

}  // namespace rocelab::runtime
