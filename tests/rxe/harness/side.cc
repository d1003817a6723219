// See side.h.
#include "tests/rxe/harness/side.h"

namespace rocelab::test {

wire::MacAddress mac_of(unsigned number) { return {2, 0, 0, 0, 0, static_cast<std::uint8_t>(number)}; }

wire::Gid gid_of(unsigned number, std::uint8_t gid_index) {
  wire::Gid gid{};
  if (gid_index == kGidV2Ipv4 || gid_index == kGidV1Ipv4) {
    gid.bytes[10] = gid.bytes[11] = 0xff;
    gid.bytes[12] = 10;
  } else {
    gid.bytes[0] = 0xfd;
  }
  gid.bytes[15] = static_cast<std::uint8_t>(number);
  return gid;
}

rxe::AddressVector route_to(unsigned to, std::uint8_t sgid_index) {
  rxe::AddressVector av;
  av.dgid = gid_of(to, sgid_index);
  av.sgid_index = sgid_index;
  av.destination_mac = mac_of(to);
  return av;
}

rxe::DeviceOptions device_options(std::uint64_t seed) {
  rxe::DeviceOptions options{.seed = seed, .mac = {}, .node_guid = {}, .limits = {}};
  return options;
}

namespace {
rxe::DeviceOptions with_mac(rxe::DeviceOptions options, unsigned number) {
  options.mac = mac_of(number);
  options.node_guid[7] = static_cast<std::uint8_t>(number);
  options.qpn_first = 0x100 * number;  // different on each side, so that a mix-up shows
  return options;
}
}  // namespace

Side::Side(unsigned number_of_side, rxe::DeviceOptions options)
    : number(number_of_side),
      device(with_mac(options, number_of_side)),
      rng_(options.seed, "sink" + std::to_string(number_of_side)) {
  for (std::uint8_t index = 0; index < 4; ++index) {
    rxe::GidEntry entry;
    entry.gid = gid_of(number, index);
    entry.type = index == kGidV2Ipv4 || index == kGidV2Ipv6 ? rxe::GidType::kRoceV2 : rxe::GidType::kRoceV1;
    entry.valid = true;
    if (!device.set_gid(index, entry)) complaint += "set_gid failed; ";
  }
  device.handle_port_state(now, true);
  const auto allocated = device.alloc_pd();
  if (!allocated) complaint += "alloc_pd failed; ";
  if (allocated) pd = *allocated;
  gather_events();
  events.clear();
}

std::size_t Side::transmit(std::size_t burst) {
  const std::uint64_t refused_before = refused;
  const std::size_t taken = device.poll_transmit(now, *this, burst);
  if (taken > burst) complaint += "poll_transmit took more than the burst; ";
  if (taken < burst && refused == refused_before && device.has_transmit()) {
    complaint += "has_transmit() although poll_transmit had nothing more to offer; ";
  }
  return taken;
}

bool Side::transmit(const wire::Packet& packet) {
  if (refuse_next > 0) {
    --refuse_next;
    ++refused;
    return false;
  }
  if (refuse_per_mille != 0 && rng_.chance(refuse_per_mille, 1000)) {
    ++refused;
    return false;
  }
  if (out) out(packet);
  return true;
}

std::size_t Side::gather_events() {
  while (const auto event = device.poll_event()) events.push_back(*event);
  return events.size();
}

std::size_t Side::count_events(rxe::EventType type, const void* user) {
  gather_events();
  std::size_t count = 0;
  for (const rxe::Event& event : events) {
    if (event.type == type && (user == nullptr || event.user == user)) ++count;
  }
  return count;
}

}  // namespace rocelab::test
