// See local_device.h.
#include "runtime/local_device.h"

#include <net/if.h>
#include <poll.h>

#include <utility>

#include "net/neighbour.h"
#include "runtime/connection_service.h"
#include "runtime/driver.h"
#include "runtime/identity.h"

namespace rocelab::runtime {

namespace {

constexpr int kMeetingTriesMax = 1000, kMeetingPauseMs = 1;

}  // namespace

namespace {

/// RFC 1112, 6.4 and RFC 2464, 7: groups have MACs of their own.
wire::MacAddress multicast_mac(const wire::Gid& group) {
  const auto& b = group.bytes;
  if (group.is_ipv4_mapped()) {
    return {0x01, 0x00, 0x5e, static_cast<std::uint8_t>(b[13] & 0x7f), b[14], b[15]};
  }
  return {0x33, 0x33, b[12], b[13], b[14], b[15]};
}

}  // namespace

LocalDevice::LocalDevice(Driver& driver, DeviceDescription description, const rxe::DeviceOptions& options)
    : rxe::VerbsDevice(std::move(description), options.limits, engine_), driver_(driver), engine_(options) {}

LocalDevice::~LocalDevice() = default;

void LocalDevice::set_event_handler(EventHandler* handler) {
  if (!usable()) return;
  const TimePoint now = enter_to_post();
  handler_ = handler;
  leave(now);
}

bool LocalDevice::usable() const { return driver_.usable(); }
TimePoint LocalDevice::enter_to_post() { return driver_.enter(); }
TimePoint LocalDevice::enter_to_control() {
  const TimePoint now = driver_.enter();
  driver_.send_owed(now);
  return now;
}
void LocalDevice::leave(TimePoint now) { driver_.release(now); }
void LocalDevice::leave_after_post(TimePoint now, std::uint32_t) { driver_.release(now, true); }

void LocalDevice::deliver_events() {
  while (const auto event = engine_.poll_event()) {
    if (handler_ != nullptr) handler_->on_event(*event);
  }
}

Result<void> LocalDevice::req_notify_cq(rxe::CqId cq, bool solicited_only) {
  if (!usable()) return base::fail(ENODEV, "the device does not survive fork()");
  armed_before_.store(true, std::memory_order_relaxed);
  const TimePoint now = enter_to_post();
  auto result = engine_.req_notify_cq(cq, solicited_only);
  if (result) driver_.on_armed_cq();
  leave(now);
  return result;
}

std::size_t LocalDevice::poll_cq(rxe::CqId cq, std::span<rxe::Completion> out) {
  if (!usable() || out.empty()) return 0;
  if (!driver_.try_enter_poll()) {
    if (!armed_before_.load(std::memory_order_relaxed)) return 0;
    driver_.enter_poll();
  }
  std::size_t count = engine_.poll_cq(cq, out);
  if (count == 0) {
    driver_.drive_for_poll();
    count = engine_.poll_cq(cq, out);
  }
  driver_.leave_poll();
  return count;
}

void LocalDevice::meet_everybody() {
  for (int tries = 0; tries < kMeetingTriesMax; ++tries) {
    const auto on_the_way =
        with_engine([&](rxe::Device&, TimePoint now) -> Result<bool> { return driver_.meet_everybody(now); });
    if (!on_the_way || !*on_the_way) return;
    poll(nullptr, 0, kMeetingPauseMs);
  }
}

base::TextResult<ConnectionService*> LocalDevice::connections() { return driver_.connections(*this); }

Result<wire::MacAddress> LocalDevice::resolve(const wire::Gid& dgid, std::uint8_t sgid_index) {
  const auto source = with_engine([&](rxe::Device& engine, TimePoint) { return engine.gid(sgid_index); });
  if (!source) return tl::make_unexpected(source.error());
  if (!source->valid) return base::fail(EINVAL, "there is no GID at this index");
  if (dgid.is_zero()) return base::fail(EINVAL, "the destination GID is zero");
  if (dgid.is_multicast()) return multicast_mac(dgid);
  for (const DeviceDescription& device : driver_.descriptions()) {
    for (const rxe::GidEntry& entry : device.gids) {
      if (entry.gid == dgid) return device.mac;
    }
  }
  if (description().interface.empty()) {
    return base::fail(EHOSTUNREACH, "the destination GID is not on this host, and the device has no uplink");
  }
  wire::MacAddress mac{};
  if (driver_.uplink_kind() == PortKind::kUdp) return mac;  // the kernel finds the way
  if (is_link_local_of_mac(dgid, mac)) return mac;          // says it itself, as in Linux's rdma_get_ll_mac
  if (driver_.uplink_kind() == PortKind::kTap) return driver_.ask_uplink(dgid, source->gid);
  net::NeighbourQuery query;
  char name[IF_NAMESIZE] = {};
  const bool of_vlan = source->has_vlan && if_indextoname(source->ndev_ifindex, name) != nullptr;
  query.interface = of_vlan ? name : description().interface;
  query.destination = dgid;
  query.source = source->gid;
  auto found = net::resolve_neighbour(query);
  if (!found && found.error().code == ENETUNREACH) return base::fail(EHOSTUNREACH, found.error().what);
  return found;
}

}  // namespace rocelab::runtime
