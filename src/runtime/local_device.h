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
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "rxe/device.h"
#include "rxe/verbs_device.h"
#include "wire/gid.h"
#include "wire/mac.h"

namespace rocelab::runtime {

using base::Result;
using base::TimePoint;

class ConnectionService;  // runtime/connection_service.h
class Driver;             // runtime/driver.h: lock, clock, ports and links of the process
class Host;

using rxe::DeviceDescription;
using rxe::EventHandler;

class LocalDevice final : public rxe::VerbsDevice {
 public:
  ~LocalDevice() override;

  void set_event_handler(EventHandler* handler) override;
  bool usable() const override;
  /// Also tells the progress thread to take over at once: the caller is about to sleep.
  Result<void> req_notify_cq(rxe::CqId cq, bool solicited_only) override;
  /// GIDs of this host's devices and multicast groups need no look-up; others ask the kernel's neighbour table on the
  /// uplink.
  Result<wire::MacAddress> resolve(const wire::Gid& dgid, std::uint8_t sgid_index) override;
  /// Moves packets once when the queue is empty (receive, timers, transmit). Does nothing while another thread is
  /// inside the engine, until a CQ has been armed for the first time: a program that then sleeps relies on an empty
  /// poll having seen everything.
  std::size_t poll_cq(rxe::CqId cq, std::span<rxe::Completion> out) override;
  /// Makes the links to the other processes of the host before a packet needs them, and waits for them (a second at
  /// most): a program that sends a datagram to a group and ends must not lose it.
  void meet_everybody();
  /// Connection management of this device, made at first use; the same object on every call.
  base::TextResult<ConnectionService*> connections();

 private:
  friend class Host;
  friend class Driver;
  LocalDevice(Driver& driver, DeviceDescription description, const rxe::DeviceOptions& options);

  TimePoint enter_to_post() override;
  TimePoint enter_to_control() override;
  void leave(TimePoint now) override;
  void leave_after_post(TimePoint now, std::uint32_t posted) override;
  /// Under the lock.
  void deliver_events();

  Driver& driver_;
  rxe::Device engine_;
  EventHandler* handler_ = nullptr;
  std::unique_ptr<ConnectionService> connections_;  ///< once used
  std::atomic<bool> armed_before_{false};           ///< the program uses completion events
};

}  // namespace rocelab::runtime
