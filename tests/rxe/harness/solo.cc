// See solo.h.
#include "tests/rxe/harness/solo.h"

namespace rocelab::test {

Solo::Solo(const rxe::DeviceOptions& options) : side(1, options) {
  side.now = base::TimePoint::from_ns(1'000'000);
  side.out = [this](const wire::Packet& packet) { sent.emplace_back(packet); };
}

Craft Solo::from_peer(const Endpoint& to, wire::Opcode opcode, std::uint32_t psn) const {
  const std::uint8_t index = to.options.sgid_index;
  wire::Packet packet{};
  packet.path.encapsulation = index == kGidV2Ipv4   ? wire::Encapsulation::kRoceV2Ipv4
                              : index == kGidV2Ipv6 ? wire::Encapsulation::kRoceV2Ipv6
                                                    : wire::Encapsulation::kRoceV1;
  packet.path.source_mac = mac_of(2);
  packet.path.destination_mac = mac_of(1);
  packet.path.source_gid = gid_of(2, index);
  packet.path.destination_gid = gid_of(1, index);
  packet.bth.opcode = opcode;
  packet.bth.destination_qpn = to.qpn;
  packet.bth.psn = wire::Psn(psn);
  packet.deth.qkey = to.options.qkey;
  packet.deth.source_qpn = kPeerQpn;
  return Craft(packet);
}

void Solo::speak() {
  while (side.transmit(16) > 0) {
  }
}

std::vector<std::string> Solo::exchange(const Craft& packet) {
  speak();
  lines();
  deliver(packet);
  speak();
  return lines();
}

bool Solo::next_deadline() {
  speak();
  const auto next = side.device.next_timeout();
  if (!next) return false;
  if (*next > side.now) side.now = *next;
  side.device.handle_timeout(side.now);
  speak();
  return true;
}

void Solo::advance(base::Duration span) {
  const base::TimePoint end = side.now + span;
  speak();
  for (unsigned deadlines = 0; side.device.next_timeout() && *side.device.next_timeout() <= end; next_deadline()) {
    if (++deadlines > 1'000'000) {
      side.complaint += "deadlines without end; ";
      break;
    }
  }
  side.now = end;
  speak();
}

std::vector<std::string> Solo::lines() {
  std::vector<std::string> result;
  for (const OwnedPacket& packet : sent) result.push_back(to_line(packet.view()));
  sent.clear();
  return result;
}

SoloQp::SoloQp(Solo& solo, const QpOptions& opt, rxe::QpState until) : Endpoint(solo.side, opt) {
  ready = valid() && to_init() && to_rtr(2, kPeerQpn, kPeerPsn);
  if (until == rxe::QpState::kRts) ready = ready && to_rts();
}

}  // namespace rocelab::test
