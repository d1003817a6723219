// Which device an address belongs to, and how to get to another: BIND, RESOLVE and LISTEN. See agent.h.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "verbs/rdma_cm/agent.h"

namespace rocelab::verbs::rdma_cm {

namespace {

constexpr std::uint8_t kHopLimit = 64;  // Linux's default TTL

cm::Service::Family family_of(const Id& id) {
  if (id.source.kind == Address::Kind::kIpv4) return cm::Service::Family::kIpv4;
  return id.source.kind == Address::Kind::kIpv6 && id.family_only ? cm::Service::Family::kIpv6
                                                                  : cm::Service::Family::kAny;
}

/// The address that the kernel would send from: the routing table knows, and asking it is a socket that sends nothing.
std::optional<wire::Gid> kernels_choice(const Address& destination) {
  sockaddr_storage address{};
  Address to = destination;
  to.port = 9;  // discard: none may be 0
  const auto size = static_cast<socklen_t>(write_address(to, &address));
  const int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::nullopt;
  std::optional<wire::Gid> chosen;
  socklen_t length = sizeof(address);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0) {
    const auto source = read_address({reinterpret_cast<const std::byte*>(&address), length});
    if (source) chosen = source->gid;
  }
  close(fd);
  return chosen;
}

/// rdma_cm uses RoCE v2 alone.
bool is_usable(const rxe::GidEntry& entry) { return entry.valid && entry.type == rxe::GidType::kRoceV2; }

bool fits_kind(const rxe::GidEntry& entry, Address::Kind kind) {
  return kind == Address::Kind::kIb || entry.gid.is_ipv4_mapped() == (kind == Address::Kind::kIpv4);
}

}  // namespace

// --- devices -------------------------------------------------------------------------------------------------------

Result<runtime::Host*> Agent::host() {
  const auto host = runtime::process_host();
  if (!host) return base::fail(ENODEV, "there is no host");
  return *host;
}

Result<DevicePort*> Agent::port(std::uint32_t device) {
  const auto host = this->host();
  if (!host) return tl::make_unexpected(host.error());
  const std::lock_guard<std::mutex> lock(opening_);
  if (device >= (*host)->devices().size()) return base::fail(ENODEV, "there is no such device");
  if (ports_.size() <= device) ports_.resize((*host)->devices().size());
  if (ports_[device] != nullptr) return ports_[device].get();
  const auto opened = (*host)->open_device(device);
  if (!opened) return base::fail(ENODEV, "the device cannot be opened");
  const auto connections = (*opened)->connections();
  if (!connections) return base::fail(ENODEV, "the device has no connection management");
  ports_[device] = std::make_unique<DevicePort>(*this, **opened, **connections);
  (*connections)->set_handler(ports_[device].get());
  return ports_[device].get();
}

Result<Agent::Source> Agent::source_of(const Address& address) {
  const auto host = this->host();
  if (!host) return tl::make_unexpected(host.error());
  if (address.is_loopback()) return source_towards(address);
  for (const rxe::DeviceDescription& device : (*host)->devices()) {
    for (std::size_t i = 0; i < device.gids.size(); ++i) {
      const rxe::GidEntry& entry = device.gids[i];
      if (!is_usable(entry) || entry.gid != address.gid) continue;
      if (address.scope_id != 0 && entry.ndev_ifindex != 0 && entry.ndev_ifindex != address.scope_id) continue;
      return Source{device.index, static_cast<std::uint8_t>(i), entry.gid};
    }
  }
  return base::fail(ENODEV, "no device has this address");
}

Result<Agent::Source> Agent::source_towards(const Address& destination) {
  const auto host = this->host();
  if (!host) return tl::make_unexpected(host.error());
  const bool local = destination.is_any() || destination.is_loopback();
  // One of our own addresses is reached from itself, as by the kernel's lo.
  if (!local && !destination.gid.is_multicast()) {
    if (auto own = source_of(destination); own) return own;
  }
  std::optional<wire::Gid> chosen;
  bool has_interface = false;
  for (const rxe::DeviceDescription& device : (*host)->devices()) has_interface |= !device.interface.empty();
  if (!local && has_interface && destination.is_ip()) chosen = kernels_choice(destination);
  std::optional<Source> found;
  for (const rxe::DeviceDescription& device : (*host)->devices()) {
    for (std::size_t i = 0; i < device.gids.size(); ++i) {
      const rxe::GidEntry& entry = device.gids[i];
      if (!is_usable(entry) || !fits_kind(entry, destination.kind)) continue;
      const Source source{device.index, static_cast<std::uint8_t>(i), entry.gid};
      if (chosen && entry.gid == *chosen) return source;
      // A link-local address speaks to its like; any other, if there is one, to the rest.
      const bool alike = Address{Address::Kind::kIpv6, entry.gid}.is_link_local() == destination.is_link_local();
      if (!found || (alike && Address{Address::Kind::kIpv6, found->gid}.is_link_local() != destination.is_link_local()))
        found = source;
    }
  }
  if (!found) return base::fail(ENETUNREACH, "no device has an address of this family");
  return *found;
}

// --- BIND ----------------------------------------------------------------------------------------------------------

namespace {

/// The port space and port that an InfiniBand address names by its service id, which is completed; others keep theirs.
struct Claim {
  cm::PortSpace space;
  std::uint16_t port;
};
Result<Claim> claim_of(const Id& id, const Address& address) {
  if (address.kind != Address::Kind::kIb) return Claim{id.space, address.port};
  constexpr std::uint64_t kSpaceMask = ~std::uint64_t{0xffff};
  const std::uint64_t mask = address.service_mask, service = address.service_id & mask;
  const auto port = static_cast<std::uint16_t>(service);
  for (const cm::PortSpace space : {cm::PortSpace::kIb, cm::PortSpace::kTcp, cm::PortSpace::kUdp}) {
    const bool allowed = id.space == cm::PortSpace::kIb || id.space == space;
    if (allowed && (service & kSpaceMask) == (cm::service_id(space, 0) & mask)) return Claim{space, port};
  }
  return base::fail(EPROTONOSUPPORT, "the service id is of no port space");
}

}  // namespace

Result<void> Agent::bind_to(File& file, std::uint32_t number, const Address& wanted) {
  runtime::PortClaim claim;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto id = find(file, number);
    if (!id) return tl::make_unexpected(id.error());
    if ((*id)->state != State::kIdle) return base::fail(EINVAL, "the id is bound already");
    if (wanted.kind == Address::Kind::kNone) return base::fail(EAFNOSUPPORT, "no address");
    const auto named = claim_of(**id, wanted);
    if (!named) return tl::make_unexpected(named.error());
    claim.space = named->space;
    claim.port = named->port;
    claim.reuse = (*id)->reuse_address;
    if (wanted.kind == Address::Kind::kIpv4) claim.family = cm::Service::Family::kIpv4;
    if (wanted.kind == Address::Kind::kIpv6 && (*id)->family_only) claim.family = cm::Service::Family::kIpv6;
  }
  std::optional<Source> source;
  if (!wanted.is_any()) {
    const auto found = source_of(wanted);
    if (!found) return tl::make_unexpected(found.error());
    source = *found;
    if (wanted.is_ip()) claim.address = wanted.gid;  // requests by InfiniBand address do not name one
  }
  const auto device = port(source ? source->device : 0);
  if (!device) return tl::make_unexpected(device.error());
  const auto binding = (*device)->service.bind_port(claim);
  if (!binding) return tl::make_unexpected(binding.error());

  const std::lock_guard<std::mutex> lock(mutex_);
  const auto id = find(file, number);
  if (!id || (*id)->state != State::kIdle) {  // another thread was faster
    (*device)->service.release_port(binding->handle);
    return base::fail(EINVAL, "the id is bound already");
  }
  (*id)->binding = *binding;
  (*id)->source = wanted;
  if (wanted.kind == Address::Kind::kIb) {
    (*id)->source.service_id = cm::service_id(claim.space, binding->port);
    (*id)->source.service_mask = cm::kExactService;
  } else {
    (*id)->source.port = binding->port;
  }
  if (source) {
    (*id)->port = *device;
    (*id)->sgid_index = source->sgid_index;
    (*id)->way.sgid_index = source->sgid_index;
  }
  (*id)->state = State::kBound;
  return {};
}

Result<void> Agent::bind_ip(const std::shared_ptr<File>& file, const Command& command) {
  const auto wanted = read_command<rdma_ucm_bind_ip>(command);
  if (!wanted) return tl::make_unexpected(wanted.error());
  const auto address = read_address_within(std::as_bytes(std::span(&wanted->addr, 1)));
  if (!address) return tl::make_unexpected(address.error());
  return bind_to(*file, wanted->id, *address);
}

Result<void> Agent::bind(const std::shared_ptr<File>& file, const Command& command) {
  const auto wanted = read_command<rdma_ucm_bind>(command);
  if (!wanted) return tl::make_unexpected(wanted.error());
  const auto room = std::as_bytes(std::span(&wanted->addr, 1));
  if (wanted->reserved != 0 || wanted->addr_size > room.size()) return base::fail(EINVAL, "no such address");
  const auto address = read_address(room.first(wanted->addr_size));
  if (!address) return base::fail(EINVAL, "no such address");
  return bind_to(*file, wanted->id, *address);
}

// --- RESOLVE -------------------------------------------------------------------------------------------------------

Result<Agent::Way> Agent::find_way(const Address& from, const Address& to, std::uint8_t type_of_service) {
  const auto source = from.is_any() || from.is_loopback() ? source_towards(to) : source_of(from);
  if (!source) return tl::make_unexpected(source.error());
  const auto device = port(source->device);
  if (!device) return tl::make_unexpected(device.error());
  Way way{*source, {}, *device};
  way.vector.dgid = to.is_any() || to.is_loopback() ? source->gid : to.gid;
  way.vector.sgid_index = source->sgid_index;
  way.vector.hop_limit = kHopLimit;
  way.vector.traffic_class = type_of_service;
  const auto mac = (*device)->device.resolve(way.vector.dgid, source->sgid_index);
  if (!mac) return tl::make_unexpected(mac.error());
  way.vector.destination_mac = *mac;
  return way;
}

Result<void> Agent::resolve_to(File& file, std::uint32_t number, const Address& from, const Address& to) {
  if (to.kind == Address::Kind::kNone) return base::fail(EINVAL, "no address to resolve");
  State before;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto id = find(file, number);
    if (!id) return tl::make_unexpected(id.error());
    before = (*id)->state;
  }
  if (before == State::kIdle) {
    Address source = from.kind == Address::Kind::kNone ? any_address(to.kind) : from;
    if (source.kind == Address::Kind::kIb && source.service_mask == 0) {
      // A client by InfiniBand address has a port of its own as well.
      source.service_id = to.service_id & ~std::uint64_t{0xffff};
      source.service_mask = cm::kExactService;
    }
    if (auto bound = bind_to(file, number, source); !bound) return bound;
  }
  Address source;
  std::uint8_t type_of_service = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto id = find(file, number);
    if (!id) return tl::make_unexpected(id.error());
    if ((*id)->state != State::kBound) return base::fail(EINVAL, "the id's address is resolved already");
    if ((*id)->source.kind != to.kind) return base::fail(EINVAL, "the addresses are of two families");
    (*id)->state = State::kAddrQuery;
    source = (*id)->source;
    type_of_service = (*id)->type_of_service.value_or(0);
  }
  const auto way = find_way(source, to, type_of_service);

  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = find(file, number);
  if (!found) return {};  // destroyed meanwhile
  Id& id = **found;
  id.destination = to;
  if (!way) {
    id.state = State::kBound;
    if (way.error().code != ETIMEDOUT) return tl::make_unexpected(way.error());
    enqueue(id, CmEvent::kAddrError, -way.error().code);
    return {};
  }
  if (id.source.is_any()) {
    id.source.gid = to.is_loopback() ? to.gid : way->source.gid;
    if (id.source.is_link_local()) id.source.scope_id = to.scope_id;
  }
  if (to.is_any()) id.destination.gid = id.source.gid;
  id.port = way->port;
  id.sgid_index = way->source.sgid_index;
  id.way = way->vector;
  id.state = State::kAddrResolved;
  enqueue(id, CmEvent::kAddrResolved, 0);
  return {};
}

Result<void> Agent::resolve_ip(const std::shared_ptr<File>& file, const Command& command) {
  const auto wanted = read_command<rdma_ucm_resolve_ip>(command);
  if (!wanted) return tl::make_unexpected(wanted.error());
  const auto from = read_address_within(std::as_bytes(std::span(&wanted->src_addr, 1)));
  const auto to = read_address_within(std::as_bytes(std::span(&wanted->dst_addr, 1)));
  if (!from || !to) return base::fail(EINVAL, "no such address");
  return resolve_to(*file, wanted->id, *from, *to);
}

Result<void> Agent::resolve_addr(const std::shared_ptr<File>& file, const Command& command) {
  const auto wanted = read_command<rdma_ucm_resolve_addr>(command);
  if (!wanted) return tl::make_unexpected(wanted.error());
  const auto source = std::as_bytes(std::span(&wanted->src_addr, 1));
  const auto destination = std::as_bytes(std::span(&wanted->dst_addr, 1));
  if (wanted->reserved != 0 || wanted->src_size > source.size() || wanted->dst_size > destination.size()) {
    return base::fail(EINVAL, "no such address");
  }
  const auto from = wanted->src_size == 0 ? Result<Address>(Address{}) : read_address(source.first(wanted->src_size));
  const auto to = read_address(destination.first(wanted->dst_size));
  if (!from || !to) return base::fail(EINVAL, "no such address");
  return resolve_to(*file, wanted->id, *from, *to);
}

Result<void> Agent::resolve_route(const std::shared_ptr<File>& file, const Command& command) {
  const auto wanted = read_command<rdma_ucm_resolve_route>(command);
  if (!wanted) return tl::make_unexpected(wanted.error());
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto id = find(*file, wanted->id);
  if (!id) return tl::make_unexpected(id.error());
  if ((*id)->state != State::kAddrResolved) return base::fail(EINVAL, "the id's address is not resolved");
  (*id)->way.traffic_class = (*id)->type_of_service.value_or(0);
  (*id)->state = State::kRouteResolved;  // on Ethernet the way follows from the address
  enqueue(**id, CmEvent::kRouteResolved, 0);
  return {};
}

// --- LISTEN --------------------------------------------------------------------------------------------------------

Result<void> Agent::listen_on(File& file, std::uint32_t number, DevicePort& port, const cm::Service& service) {
  return port.service.with_manager([&](cm::Manager& manager, base::TimePoint now) -> Result<void> {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto id = find(file, number);
    if (!id) return tl::make_unexpected(id.error());
    const auto listener = manager.create_id(*id);
    if (!listener) return tl::make_unexpected(listener.error());
    if (auto listening = manager.listen(*listener, service); !listening) {
      static_cast<void>(manager.destroy_id(now, *listener));
      return listening;
    }
    (*id)->listening.push_back({&port, *listener});
    return {};
  });
}

Result<void> Agent::listen(const std::shared_ptr<File>& file, const Command& command) {
  const auto wanted = read_command<rdma_ucm_listen>(command);
  if (!wanted) return tl::make_unexpected(wanted.error());
  State before;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto id = find(*file, wanted->id);
    if (!id) return tl::make_unexpected(id.error());
    before = (*id)->state;
  }
  if (before == State::kIdle) {
    if (auto bound = bind_to(*file, wanted->id, any_address(Address::Kind::kIpv4)); !bound) return bound;
  }
  cm::Service service;
  runtime::PortHandle handle;
  std::vector<std::uint32_t> devices;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = find(*file, wanted->id);
    if (!found) return tl::make_unexpected(found.error());
    Id& id = **found;
    if (id.state != State::kBound || !id.binding) return base::fail(EINVAL, "the id is not bound");
    service.id = service_of(id.source, id.space);
    service.family = family_of(id);
    if (!id.source.is_any() && id.source.is_ip()) service.address = id.source.gid;
    handle = id.binding->handle;
    if (id.port != nullptr) devices.push_back(id.port->device.description().index);
    id.backlog = wanted->backlog > 0 && wanted->backlog < kBacklogMax ? wanted->backlog : kBacklogMax;
    id.state = State::kListen;
  }
  if (devices.empty()) {
    const auto host = this->host();
    if (!host) return tl::make_unexpected(host.error());
    for (const rxe::DeviceDescription& device : (*host)->devices()) devices.push_back(device.index);
  }
  Result<void> done;
  for (const std::uint32_t device : devices) {
    const auto opened = port(device);
    if (!opened) done = tl::make_unexpected(opened.error());
    if (done) done = listen_on(*file, wanted->id, **opened, service);
    if (done) done = (*opened)->service.listen_port(handle);
    if (!done) break;
  }
  if (done) return {};
  std::vector<Id::Listening> listening;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (const auto id = find(*file, wanted->id); id) {
      (*id)->state = State::kBound;
      listening.swap((*id)->listening);
    }
  }
  for (const Id::Listening& one : listening) {
    static_cast<void>(one.port->service.with_manager(
        [&](cm::Manager& manager, base::TimePoint now) { return manager.destroy_id(now, one.cm); }));
  }
  return done;
}

}  // namespace rocelab::verbs::rdma_cm
