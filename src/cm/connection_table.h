// All ids of a Manager and the ways to find them: by their number, by the peer's number, by the peer's QP, by the
// peer's SIDR request, by what they listen to, and by their deadline. Everything is ordered, so that the same events
// give the same results. Owned by the Manager.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "cm/connection.h"

namespace rocelab::cm {

class ConnectionTable {
 public:
  /// Numbers begin behind `first` (24 bits) and are not used again before all others have been.
  ConnectionTable(std::uint8_t slot, std::uint32_t first, std::size_t ids_max);

  /// nullptr: there are ids_max.
  Connection* create(void* user);
  void erase(Connection& connection);
  Connection* find(std::uint32_t number) const;
  std::size_t size() const { return connections_.size(); }
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [number, connection] : connections_) visit(*connection);
  }

  // --- by the peer -------------------------------------------------------------------------------------------------
  Connection* by_remote_id(std::uint64_t ca_guid, std::uint32_t comm_id) const;
  Connection* by_remote_qpn(std::uint64_t ca_guid, std::uint32_t qpn) const;
  std::size_t peer_count() const { return remote_ids_.size(); }
  /// As info.remote_* say. False: another connection has the number (and keeps it).
  bool add_remote_id(Connection& connection);
  bool add_remote_qpn(Connection& connection);
  void remove_remote_id(Connection& connection);
  void remove_remote_qpn(Connection& connection);

  Connection* by_request(const wire::Gid& gid, std::uint32_t request) const;
  void add_request(Connection& connection);
  void remove_request(Connection& connection);

  // --- listeners ---------------------------------------------------------------------------------------------------
  /// The best fit; of equals the oldest.
  Connection* listener(std::uint64_t service_id, std::span<const std::byte> private_data) const;
  bool is_listened(const Service& service) const;
  void add_listener(Connection& connection) { listeners_.push_back(&connection); }

  // --- deadlines ---------------------------------------------------------------------------------------------------
  void arm(Connection& connection, TimePoint deadline);
  void disarm(Connection& connection);
  std::optional<TimePoint> next_deadline() const;
  /// Disarms and returns one whose deadline is not after `now`.
  Connection* pop_due(TimePoint now);

 private:
  using Peer = std::pair<std::uint64_t, std::uint32_t>;
  using Index = std::map<Peer, Connection*>;
  static Connection* look_up(const Index& index, const Peer& peer);
  static bool add(Index& index, const Peer& peer, Connection& connection);
  static void remove(Index& index, const Peer& peer, const Connection& connection);

  struct Earlier {
    using Entry = std::pair<TimePoint, Id>;
    bool operator()(const Entry& a, const Entry& b) const {
      return a.first < b.first || (a.first == b.first && a.second < b.second);
    }
  };

  const std::uint8_t slot_;
  const std::size_t ids_max_;
  std::uint32_t last_;
  std::map<std::uint32_t, std::unique_ptr<Connection>> connections_;
  Index remote_ids_;
  Index remote_qpns_;
  std::map<std::pair<wire::Gid, std::uint32_t>, Connection*> requests_;
  std::vector<Connection*> listeners_;
  std::set<Earlier::Entry, Earlier> deadlines_;
};

}  // namespace rocelab::cm
