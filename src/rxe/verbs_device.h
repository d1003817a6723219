// A device as src/verbs uses it: an engine under somebody's lock and clock. runtime::LocalDevice is the real one;
// sim::SimDevice is that of a simulated host, where a call costs virtual time and may let the simulation go on. The ABI
// above cannot tell them apart, so that a verbs program runs on either without change.
//
// Thread-safety: as the implementation says; the users of one device make their calls as on a LocalDevice.
#pragma once

#include <array>
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

namespace rocelab::rxe {

/// What is known about a device without opening it.
struct DeviceDescription {
  std::string name;  ///< "rocelab0"
  std::uint32_t index = 0;
  wire::MacAddress mac{};
  std::array<std::uint8_t, 8> node_guid{};  ///< EUI-64 of the MAC, network order as in ibv_get_device_guid
  PathMtu mtu = PathMtu::k4096;
  std::vector<GidEntry> gids;         ///< the initial GID table, index by index
  std::string interface;              ///< kernel interface of the uplink; empty: none
  std::uint32_t interface_index = 0;  ///< 0: none
  std::uint32_t vendor_part_id = 0;   ///< ibv_device_attr.vendor_part_id
};

/// Takes the engine's events. on_event runs with the engine's lock held, so the object behind event.user cannot be
/// destroyed meanwhile (destroying it needs the lock). It must be short (write an eventfd, queue the event) and must
/// not call the device. All events that a call causes are delivered before that call returns; events caused by packets
/// come from whichever thread drives.
class EventHandler {
 public:
  virtual ~EventHandler() = default;
  virtual void on_event(const Event& event) noexcept = 0;
};

class VerbsDevice {
 public:
  virtual ~VerbsDevice() = default;
  VerbsDevice(const VerbsDevice&) = delete;
  VerbsDevice& operator=(const VerbsDevice&) = delete;

  const DeviceDescription& description() const { return description_; }
  const DeviceAttr& limits() const { return limits_; }
  /// False: the device is gone (after fork()); every call fails with ENODEV.
  virtual bool usable() const = 0;
  /// One handler a device and process (several ibv contexts share it: event.user tells whose it is; port events have
  /// none and go to all). nullptr: events are dropped.
  virtual void set_event_handler(EventHandler* handler) = 0;

  // --- control path ------------------------------------------------------------------------------------------------
  /// Runs `f(Device&, TimePoint now) -> Result<T>` under the engine's lock, then sends what became due and delivers
  /// events. For every verbs call that is not below. `f` must not call this object.
  template <class F>
  std::invoke_result_t<F, Device&, TimePoint> with_engine(F&& f) {
    if (!usable()) return base::fail(ENODEV, kGone);
    const TimePoint now = enter_to_control();
    auto result = std::forward<F>(f)(*engine_, now);
    leave(now);
    return result;
  }
  /// Arms a CQ.
  virtual Result<void> req_notify_cq(CqId cq, bool solicited_only) = 0;
  /// The MAC that packets to `dgid` go to, for AddressVector::destination_mac. EHOSTUNREACH: no way there; ETIMEDOUT:
  /// no answer; EINVAL: sgid_index is not in the table. May block for a neighbour's answer.
  virtual Result<wire::MacAddress> resolve(const wire::Gid& dgid, std::uint8_t sgid_index) = 0;

  // --- data path ---------------------------------------------------------------------------------------------------
  /// The engine's lock, held while a list of requests is posted; the destructor sends what is due once and unlocks. The
  /// holder makes no other call on this process's devices meanwhile.
  class Batch {
   public:
    explicit Batch(VerbsDevice& device)
        : device_(device), open_(device.usable()), now_(open_ ? device.enter_to_post() : TimePoint()) {}
    ~Batch() {
      if (open_) device_.leave_after_post(now_, posted_);
    }
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;
    Result<void> post_send(Qpn qpn, const SendRequest& request) {
      if (!open_) return base::fail(ENODEV, kGone);
      ++posted_;
      if (device_.holds_requests_) [[unlikely]]
        device_.hold(now_, qpn, (request.flags & send_flag::kInline) != 0);
      return device_.engine_->post_send(now_, qpn, request);
    }
    /// Posts all of them or, with an error, none.
    Result<void> post_sends(Qpn qpn, std::span<const SendRequest> requests) {
      if (!open_) return base::fail(ENODEV, kGone);
      if (auto checked = device_.engine_->check_sends(qpn, requests); !checked) return checked;
      for (const SendRequest& request : requests) {
        if (auto posted = post_send(qpn, request); !posted) return posted;
      }
      return {};
    }
    Result<void> post_recv(Qpn qpn, const RecvRequest& request) {
      if (!open_) return base::fail(ENODEV, kGone);
      return device_.engine_->post_recv(now_, qpn, request);
    }
    Result<void> post_srq_recv(SrqId srq, const RecvRequest& request) {
      if (!open_) return base::fail(ENODEV, kGone);
      return device_.engine_->post_srq_recv(srq, request);
    }

   private:
    VerbsDevice& device_;
    bool open_;
    std::uint32_t posted_ = 0;  ///< send requests offered to the engine
    TimePoint now_;
  };

  Result<void> post_send(Qpn qpn, const SendRequest& request) { return Batch(*this).post_send(qpn, request); }
  Result<void> post_recv(Qpn qpn, const RecvRequest& request) { return Batch(*this).post_recv(qpn, request); }
  Result<void> post_srq_recv(SrqId srq, const RecvRequest& request) { return Batch(*this).post_srq_recv(srq, request); }
  /// Pops completions; when there are none, lets things happen once and pops again. Returns how many were written.
  virtual std::size_t poll_cq(CqId cq, std::span<Completion> out) = 0;

  // --- virtual time ------------------------------------------------------------------------------------------------
  /// True: time is the simulation's, and whoever waits for an event descriptor must wait by wait_for_event().
  virtual bool simulated() const { return false; }
  /// Lets virtual time go on until something has happened at this host. Only with simulated().
  virtual void wait_for_event() {}

 protected:
  static constexpr const char* kGone = "the device does not survive fork()";

  /// `engine` outlives this object or is a member of the derived one.
  VerbsDevice(DeviceDescription description, const DeviceAttr& limits, Device& engine)
      : description_(std::move(description)), limits_(limits), engine_(&engine) {}

  /// Takes the lock; returns the time of this call. To control: and sends what is owed, as the call may end the QP that
  /// owes it.
  virtual TimePoint enter_to_post() = 0;
  virtual TimePoint enter_to_control() = 0;
  /// A request is about to be posted: with holds_requests_ only, Device::hold_requests.
  virtual void hold(TimePoint now, Qpn qpn, bool is_inline) {
    static_cast<void>(now), static_cast<void>(qpn), static_cast<void>(is_inline);
  }
  bool holds_requests_ = false;

  /// Sends what is due, delivers events, hands over what waits for a time, unlocks.
  virtual void leave(TimePoint now) = 0;
  virtual void leave_after_post(TimePoint now, std::uint32_t posted) = 0;

 private:
  const DeviceDescription description_;
  const DeviceAttr limits_;
  Device* const engine_;
};

}  // namespace rocelab::rxe
