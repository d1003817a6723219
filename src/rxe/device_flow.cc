// Verbs calls on steering rules, and frames that are no packets of ours.
#include <cerrno>

#include "rxe/device_impl.h"
#include "rxe/raw_packet.h"

namespace rocelab::rxe {

Result<FlowId> Device::create_flow(const FlowRule& rule) {
  const Qp* const qp = impl_->find_qp(rule.qpn);
  if (qp == nullptr || qp->type != QpType::kRawPacket) return base::fail(EINVAL, "rules steer to raw packet QPs");
  return impl_->flows.add(rule);
}

Result<void> Device::destroy_flow(FlowId flow) { return impl_->flows.remove(flow); }

bool Device::sniffs() const { return impl_->flows.has_sniffer(); }

bool Device::handle_frame(TimePoint now, std::span<const std::byte> frame, bool roce) {
  return raw_packet::handle_frame(*impl_, now, frame, roce);
}

}  // namespace rocelab::rxe
