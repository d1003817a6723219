// See sim_device.h.
#include "sim/host/sim_device.h"

#include <algorithm>
#include <cerrno>

#include "rxe/address_handle.h"
#include "sim/host/host.h"
#include "sim/host/host_processes.h"
#include "sim/host/host_stack.h"

namespace rocelab::sim {
namespace {

rxe::DeviceDescription describe(const Host& host, const rxe::Device& engine) {
  rxe::DeviceDescription description;
  description.name = "rocelab0";
  description.mac = engine.options().mac;
  description.node_guid = engine.options().node_guid;
  description.mtu = engine.options().port_mtu;
  const wire::Gid gid = host_gid(host.index());
  description.gids = {{.gid = gid, .type = rxe::GidType::kRoceV2, .valid = true},
                      {.gid = gid, .type = rxe::GidType::kRoceV1, .valid = true}};
  return description;
}

}  // namespace

SimDevice::SimDevice(Host& host)
    : rxe::VerbsDevice(describe(host, host.stack().device()), host.stack().device().options().limits,
                       host.stack().device()),
      host_(host),
      stack_(host.stack()) {
  const HostProfile& profile = host.options().profile;
  holds_requests_ = profile.post_delay(false) != Duration();
}

void SimDevice::set_event_handler(rxe::EventHandler* handler) { stack_.set_event_handler(handler); }

rxe::TimePoint SimDevice::now() const {
  if (Process* process = host_.processes().running()) last_now_ = process->now();
  return last_now_;
}

rxe::TimePoint SimDevice::enter_to_post() {
  HostProcesses& processes = host_.processes();
  if (processes.running() != nullptr) {
    processes.charge(host_.options().profile.cpu_per_post);
    processes.pay();
  }
  return now();
}

rxe::TimePoint SimDevice::enter_to_control() { return now(); }

void SimDevice::leave(rxe::TimePoint) {
  if (Process* process = host_.processes().running()) stack_.settle(process->context());
}

void SimDevice::leave_after_post(rxe::TimePoint now, std::uint32_t posted) {
  if (posted > 1 && host_.processes().running() != nullptr) {
    host_.processes().charge(host_.options().profile.cpu_per_post * (posted - 1));
  }
  leave(now);
}

void SimDevice::hold(rxe::TimePoint now, rxe::Qpn qpn, bool is_inline) {
  stack_.device().hold_requests(qpn, now + host_.options().profile.post_delay(is_inline));
}

rxe::Result<void> SimDevice::req_notify_cq(rxe::CqId cq, bool solicited_only) {
  return stack_.device().req_notify_cq(cq, solicited_only);
}

rxe::Result<wire::MacAddress> SimDevice::resolve(const wire::Gid& dgid, std::uint8_t sgid_index) {
  const auto source = stack_.device().gid(sgid_index);
  if (!source) return tl::make_unexpected(source.error());
  if (!source->valid) return base::fail(EINVAL, "there is no GID at this index");
  if (dgid.is_zero()) return base::fail(EINVAL, "the destination GID is zero");
  if (dgid.is_multicast()) return rxe::multicast_mac(dgid);
  const NodeId host = dgid.is_ipv4_mapped() ? host_of(dgid) : kNoNode;
  if (host == kNoNode) return base::fail(EHOSTUNREACH, "the destination GID is not that of a simulated host");
  return host_mac(host);
}

std::size_t SimDevice::take_visible(rxe::CqId cq, std::span<rxe::Completion> out) {
  rxe::Device& engine = stack_.device();
  const Duration delay = host_.options().profile.completion_write;
  if (delay == Duration()) return engine.poll_cq(cq, out);
  std::size_t count = 0;
  while (count < out.size()) {
    const auto added = engine.next_completion_time(cq);
    if (!added || *added + delay > now()) break;
    count += engine.poll_cq(cq, out.subspan(count, 1));
  }
  return count;
}

std::size_t SimDevice::poll_cq(rxe::CqId cq, std::span<rxe::Completion> out) {
  if (out.empty()) return 0;
  HostProcesses& processes = host_.processes();
  const HostProfile& profile = host_.options().profile;
  std::size_t count = take_visible(cq, out);
  if (processes.running() == nullptr) return count;
  if (count == 0) {
    processes.charge(profile.cpu_per_poll);
    processes.pay();
    count = take_visible(cq, out);
  }
  if (count == 0) {
    rxe::TimePoint deadline = now() + kPatience;
    if (const auto added = stack_.device().next_completion_time(cq)) {
      deadline = std::min(deadline, *added + profile.completion_write);
    }
    processes.wait(deadline);
    count = take_visible(cq, out);
  }
  processes.charge(profile.cpu_per_completion * static_cast<std::int64_t>(count));
  return count;
}

void SimDevice::wait_for_event() {
  HostProcesses& processes = host_.processes();
  if (processes.running() == nullptr) return;
  processes.pay();
  processes.wait(now() + kPatience);
}

}  // namespace rocelab::sim
