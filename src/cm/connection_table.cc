// See connection_table.h.
#include "cm/connection_table.h"

#include <algorithm>

namespace rocelab::cm {

namespace {

constexpr std::uint32_t kNumberMask = 0xff'ffff;
constexpr unsigned kSlotShift = 24;

}  // namespace

ConnectionTable::ConnectionTable(std::uint8_t slot, std::uint32_t first, std::size_t ids_max)
    : slot_(slot), ids_max_(std::min<std::size_t>(ids_max, kNumberMask)), last_(first & kNumberMask) {}

Connection* ConnectionTable::create(void* user) {
  if (connections_.size() >= ids_max_) return nullptr;
  std::uint32_t number = 0;
  do {
    last_ = (last_ + 1) & kNumberMask;
    number = std::uint32_t{slot_} << kSlotShift | last_;
  } while (connections_.contains(number));
  auto connection = std::make_unique<Connection>();
  connection->id = static_cast<Id>(number);
  connection->info.user = user;
  return (connections_[number] = std::move(connection)).get();
}

void ConnectionTable::erase(Connection& connection) {
  disarm(connection);
  remove_remote_id(connection);
  remove_remote_qpn(connection);
  remove_request(connection);
  std::erase(listeners_, &connection);
  connections_.erase(connection.number());
}

Connection* ConnectionTable::find(std::uint32_t number) const {
  const auto found = connections_.find(number);
  return found == connections_.end() ? nullptr : found->second.get();
}

// --- by the peer ---------------------------------------------------------------------------------------------------

Connection* ConnectionTable::look_up(const Index& index, const Peer& peer) {
  const auto found = index.find(peer);
  return found == index.end() ? nullptr : found->second;
}

bool ConnectionTable::add(Index& index, const Peer& peer, Connection& connection) {
  return index.try_emplace(peer, &connection).first->second == &connection;
}

void ConnectionTable::remove(Index& index, const Peer& peer, const Connection& connection) {
  const auto found = index.find(peer);
  if (found != index.end() && found->second == &connection) index.erase(found);
}

Connection* ConnectionTable::by_remote_id(std::uint64_t ca_guid, std::uint32_t comm_id) const {
  return look_up(remote_ids_, {ca_guid, comm_id});
}
Connection* ConnectionTable::by_remote_qpn(std::uint64_t ca_guid, std::uint32_t qpn) const {
  return look_up(remote_qpns_, {ca_guid, qpn});
}
bool ConnectionTable::add_remote_id(Connection& connection) {
  return add(remote_ids_, {connection.info.remote_ca_guid, connection.info.remote_comm_id}, connection);
}
bool ConnectionTable::add_remote_qpn(Connection& connection) {
  return add(remote_qpns_, {connection.info.remote_ca_guid, connection.info.remote_qpn}, connection);
}
void ConnectionTable::remove_remote_id(Connection& connection) {
  remove(remote_ids_, {connection.info.remote_ca_guid, connection.info.remote_comm_id}, connection);
}
void ConnectionTable::remove_remote_qpn(Connection& connection) {
  remove(remote_qpns_, {connection.info.remote_ca_guid, connection.info.remote_qpn}, connection);
}

Connection* ConnectionTable::by_request(const wire::Gid& gid, std::uint32_t request) const {
  const auto found = requests_.find({gid, request});
  return found == requests_.end() ? nullptr : found->second;
}

void ConnectionTable::add_request(Connection& connection) {
  requests_[{connection.info.path.destination_gid, *connection.remote_request}] = &connection;
}

void ConnectionTable::remove_request(Connection& connection) {
  if (!connection.remote_request) return;
  const auto found = requests_.find({connection.info.path.destination_gid, *connection.remote_request});
  if (found != requests_.end() && found->second == &connection) requests_.erase(found);
}

// --- listeners -----------------------------------------------------------------------------------------------------

Connection* ConnectionTable::listener(std::uint64_t service_id, std::span<const std::byte> private_data) const {
  Connection* best = nullptr;
  unsigned best_fit = 0;
  for (Connection* candidate : listeners_) {
    const unsigned how_well = fit(candidate->service, service_id, private_data);
    if (how_well > best_fit) best = candidate, best_fit = how_well;
  }
  return best;
}

bool ConnectionTable::is_listened(const Service& service) const {
  return std::any_of(listeners_.begin(), listeners_.end(),
                     [&service](const Connection* other) { return other->service == service; });
}

// --- deadlines -----------------------------------------------------------------------------------------------------

void ConnectionTable::arm(Connection& connection, TimePoint deadline) {
  disarm(connection);
  connection.deadline = deadline;
  deadlines_.insert({deadline, connection.id});
}

void ConnectionTable::disarm(Connection& connection) {
  if (!connection.deadline) return;
  deadlines_.erase({*connection.deadline, connection.id});
  connection.deadline.reset();
}

std::optional<TimePoint> ConnectionTable::next_deadline() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

Connection* ConnectionTable::pop_due(TimePoint now) {
  if (deadlines_.empty() || deadlines_.begin()->first > now) return nullptr;
  Connection* const connection = find(static_cast<std::uint32_t>(deadlines_.begin()->second));
  disarm(*connection);
  return connection;
}

}  // namespace rocelab::cm
