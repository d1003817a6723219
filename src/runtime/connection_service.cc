// See connection_service.h.
#include "runtime/connection_service.h"

#include <utility>

#include "runtime/driver.h"
#include "runtime/local_device.h"
#include "rxe/address_handle.h"
#include "wire/udp.h"

namespace rocelab::runtime {

namespace {

constexpr std::uint32_t kGsiQkey = 0x8001'0000;  ///< IBTA vol 1, 3.5.3
constexpr std::uint16_t kPkey = 0xffff, kPkeyMask = 0x7fff;
constexpr std::uint32_t kPsnMask = 0xff'ffff;
constexpr std::size_t kSendsMax = 64;  ///< of one pass

cm::ManagerOptions options_for(const rxe::Device& engine, const HostPage& host, std::uint64_t seed) {
  cm::ManagerOptions options{seed};
  options.slot = static_cast<std::uint8_t>(host.slot());
  for (const std::uint8_t byte : engine.options().node_guid) options.ca_guid = options.ca_guid << 8 | byte;
  return options;
}

}  // namespace

// --- the other processes -------------------------------------------------------------------------------------------

std::optional<std::uint8_t> ConnectionService::Others::owner_of(std::uint64_t service_id,
                                                                std::span<const std::byte> private_data) const {
  const auto slot = page_.owner_of(device_, service_id, private_data);
  if (!slot) return std::nullopt;
  return static_cast<std::uint8_t>(*slot);
}

bool ConnectionService::Others::is_alive(std::uint8_t slot) const {
  const auto generation = host_.occupant(slot);
  return generation && host_.is_alive(slot, *generation);
}

bool ConnectionService::Others::we_speak() const { return page_.is_speaker(device_); }

bool ConnectionService::Others::is_local(const wire::Gid& gid) const {
  const std::uint32_t where = routes_.find(gid);
  return where != Routes::kElsewhere && where != Routes::kMulticast;
}

// --- the surface ---------------------------------------------------------------------------------------------------

ConnectionService::ConnectionService(Driver& driver, LocalDevice& device, rxe::Device& engine, CmPage& page,
                                     const HostPage& host, Routes& routes, std::uint64_t seed)
    : driver_(driver),
      device_(device),
      engine_(engine),
      page_(page),
      host_(host),
      others_(page, host, routes, device.description().index),
      manager_(options_for(engine, host, seed), others_),
      next_psn_(static_cast<std::uint32_t>(seed >> 40)) {}

ConnectionService::~ConnectionService() = default;

bool ConnectionService::usable() const { return driver_.usable(); }
base::TimePoint ConnectionService::enter() {
  const base::TimePoint now = driver_.enter();
  driver_.send_owed(now);
  return now;
}
void ConnectionService::leave(base::TimePoint now) { driver_.release(now); }

void ConnectionService::set_handler(ConnectionHandler* handler) {
  if (!usable()) return;
  const base::TimePoint now = enter();
  handler_ = handler;
  leave(now);
}

Result<wire::Path> ConnectionService::path_of(const rxe::AddressVector& av) {
  rxe::GidTable gids(engine_.options().limits.gid_table_length);
  const auto entry =
      device_.with_engine([&av](rxe::Device& engine, base::TimePoint) { return engine.gid(av.sgid_index); });
  if (!entry) return tl::make_unexpected(entry.error());
  if (auto set = gids.set(av.sgid_index, *entry); !set) return tl::make_unexpected(set.error());
  rxe::PathOptions options;
  options.source_mac = engine_.options().mac;
  options.use = rxe::PathUse::kConnected;
  return rxe::make_path(gids, av, options);
}

Result<ConnectionService::QpChange> ConnectionService::qp_change(cm::Id id, rxe::QpState to) {
  return with_manager([&](cm::Manager&, base::TimePoint) { return qp_change_locked(id, to); });
}

Result<ConnectionService::QpChange> ConnectionService::qp_change_locked(cm::Id id, rxe::QpState to) const {
  using namespace rxe::qp_attr;
  const auto known = manager_.info(id);
  if (!known) return tl::make_unexpected(known.error());
  const cm::Info& info = *known;
  const bool reliable = info.transport != cm::Transport::kUc;
  const bool is_idle = info.state == cm::State::kIdle || info.state == cm::State::kListen;
  const bool knows_peer = info.remote_comm_id != 0 && !is_idle && info.state != cm::State::kTimewait &&
                          info.state != cm::State::kMraReqRcvd;
  QpChange change;
  change.attr.state = to;
  change.mask = kState;
  if (to == rxe::QpState::kInit) {
    if (is_idle) return base::fail(EINVAL, "the id has no connection under way");
    change.attr.access_flags = rxe::access::kRemoteWrite;
    if (info.responder_resources != 0) {
      change.attr.access_flags |= rxe::access::kRemoteRead | rxe::access::kRemoteAtomic;
    }
    change.mask |= kAccessFlags | kPkeyIndex | kPort;
    return change;
  }
  if (!knows_peer) return base::fail(EINVAL, "the id does not know the peer's queue pair");
  if (to == rxe::QpState::kRtr) {
    const auto type =
        info.path.encapsulation == wire::Encapsulation::kRoceV1 ? rxe::GidType::kRoceV1 : rxe::GidType::kRoceV2;
    std::optional<std::size_t> index;
    for (std::size_t i = 0; i < device_.limits().gid_table_length && !index; ++i) {
      const auto entry = engine_.gid(i);
      if (!entry || !entry->valid || entry->gid != info.path.source_gid || entry->type != type) continue;
      if (entry->has_vlan != info.path.has_vlan || (entry->has_vlan && entry->vlan_id != info.path.vlan_id)) continue;
      index = i;
    }
    if (!index) return base::fail(ENODEV, "the connection's GID is not in the table any more");
    rxe::AddressVector& av = change.attr.av;
    av.dgid = info.path.destination_gid;
    av.sgid_index = static_cast<std::uint8_t>(*index);
    av.hop_limit = info.path.hop_limit;
    av.traffic_class = info.path.traffic_class;
    av.flow_label = info.path.flow_label;
    av.service_level = info.service_level;
    av.destination_mac = info.path.destination_mac;
    change.attr.path_mtu = static_cast<rxe::PathMtu>(info.path_mtu);
    change.attr.dest_qpn = info.remote_qpn;
    change.attr.rq_psn = info.receive_psn;
    change.mask |= kAv | kPathMtu | kDestQpn | kRqPsn;
    if (reliable) {
      change.attr.max_dest_rd_atomic = info.responder_resources;
      change.attr.min_rnr_timer = 0;
      change.mask |= kMaxDestRdAtomic | kMinRnrTimer;
    }
    return change;
  }
  if (to == rxe::QpState::kRts) {
    change.attr.sq_psn = info.send_psn;
    change.mask |= kSqPsn;
    if (reliable) {
      change.attr.timeout = info.ack_timeout;
      change.attr.retry_cnt = info.retry_count;
      change.attr.rnr_retry = info.rnr_retry_count;
      change.attr.max_rd_atomic = info.initiator_depth;
      change.mask |= kTimeout | kRetryCnt | kRnrRetry | kMaxQpRdAtomic;
    }
    return change;
  }
  return base::fail(EINVAL, "only INIT, RTR and RTS belong to a connection");
}

// --- ports ---------------------------------------------------------------------------------------------------------

Result<PortBinding> ConnectionService::bind_port(const PortClaim& claim) {
  if (!usable()) return base::fail(ENODEV, "the device does not survive fork()");
  return page_.bind(claim);
}
Result<void> ConnectionService::listen_port(PortHandle port) {
  if (!usable()) return base::fail(ENODEV, "the device does not survive fork()");
  return page_.listen(port, device_.description().index);
}
void ConnectionService::release_port(PortHandle port) {
  if (usable()) page_.release(port);
}
Result<PortHandle> ConnectionService::publish_service(const cm::Service& service) {
  if (!usable()) return base::fail(ENODEV, "the device does not survive fork()");
  return page_.publish(service, device_.description().index);
}

// --- driven --------------------------------------------------------------------------------------------------------

bool ConnectionService::handle_packet(base::TimePoint now, const wire::Packet& packet) {
  if (packet.bth.opcode != wire::Opcode::kUdSendOnly || packet.payload.length != cm::kMadBytes) return false;
  const std::span<const std::byte> bytes(packet.payload.data, packet.payload.length);
  if (cm::MadHeader::parse(bytes).management_class != cm::kCmClass) return false;
  // IBTA vol 1, 9.6.1.1 and 10.2.4: as of any QP1.
  if (packet.deth.qkey != kGsiQkey || packet.deth.source_qpn != rxe::kGsiQpn) return false;
  if ((packet.bth.pkey & kPkeyMask) != (kPkey & kPkeyMask) || packet.bth.version != 0) return false;
  manager_.handle_mad(now, packet.path, bytes);
  return true;
}

bool ConnectionService::transmit(rxe::TxSink& sink) {
  bool taken = false;
  for (std::size_t i = 0; i < kSendsMax; ++i) {
    const cm::Manager::Send* const send = manager_.next_send();
    if (send == nullptr) return taken;
    wire::Packet packet;
    packet.path = send->path;
    packet.path.udp_source_port = wire::udp_source_port(rxe::kGsiQpn, rxe::kGsiQpn);
    packet.bth.opcode = wire::Opcode::kUdSendOnly;
    packet.bth.pkey = kPkey;
    packet.bth.destination_qpn = rxe::kGsiQpn;
    packet.bth.psn = wire::Psn(next_psn_);
    packet.deth = {kGsiQkey, rxe::kGsiQpn};
    packet.payload.data = send->bytes.data();
    packet.payload.length = cm::kMadBytes;
    if (!sink.transmit(packet)) return taken;
    next_psn_ = (next_psn_ + 1) & kPsnMask;
    manager_.pop_send();
    taken = true;
  }
  return taken;
}

bool ConnectionService::run_timers(base::TimePoint now) {
  const auto due = next_timeout();
  if (!due || *due > now) return false;
  manager_.handle_timeout(now);
  watch(now);
  return true;
}

std::optional<base::TimePoint> ConnectionService::next_timeout() const {
  auto earliest = manager_.next_timeout();
  if (manager_.connection_count() != 0 && (!earliest || next_watch_ < *earliest)) earliest = next_watch_;
  return earliest;
}

bool ConnectionService::deliver(base::TimePoint now) {
  if (handler_ == nullptr) return false;
  bool told = false;
  while (const auto event = manager_.poll_event()) {
    handler_->on_connection_event(manager_, now, *event);
    told = true;
  }
  return told;
}

void ConnectionService::process_died(std::uint32_t slot, base::TimePoint now) {
  watched_[slot & kSlotsMax] = 0;
  manager_.handle_peer_death(now, static_cast<std::uint8_t>(slot));
}

void ConnectionService::watch(base::TimePoint now) {
  // A link tells of a death too, but not everybody has one, and who sleeps does not look at it.
  if (now < next_watch_) return;
  next_watch_ = now + kWatchEvery;
  const auto peers = manager_.local_peers();
  for (std::uint32_t slot = 1; slot <= kSlotsMax; ++slot) {
    if (!peers[slot] || slot == host_.slot()) {
      watched_[slot] = 0;
      continue;
    }
    const std::uint32_t generation = host_.occupant(slot).value_or(0);
    if (watched_[slot] == 0) watched_[slot] = generation;
    if (generation == 0 || watched_[slot] != generation || !host_.is_alive(slot, generation)) process_died(slot, now);
  }
}

void ConnectionService::retire(base::TimePoint now) {
  handler_ = nullptr;
  manager_.destroy_all(now);
}

}  // namespace rocelab::runtime
