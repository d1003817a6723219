// Managers in virtual time over a link that loses, repeats and delays: a Node is one process, a GID may be that of
// several (they all hear what comes for it, as on a host). Nothing here is random but by the seed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "cm/manager.h"

namespace rocelab::test {

using base::Duration;
using base::TimePoint;

class Network;

struct NodeOptions {
  std::uint8_t slot = 1;
  std::uint64_t ca_guid = 0xa;
  std::uint32_t address = 0x0a4d'0001;  ///< IPv4
  std::size_t ids_max = 65'536;
  std::size_t events_max = 65'536;
};

/// One process with its Manager, and what its consumer has heard.
class Node final : public cm::Neighbours {
 public:
  Node(Network& network, const NodeOptions& options, std::uint64_t seed);

  cm::Manager& manager() { return *manager_; }
  wire::Gid gid() const { return wire::Gid::from_ipv4(options_.address); }
  const NodeOptions& options() const { return options_; }
  bool alive = true;
  std::vector<cm::Event> events;
  /// Called for each event before it is kept in `events`.
  std::function<void(const cm::Event&)> on_event;

  cm::Id create(void* user = nullptr) { return manager_->create_id(user).value(); }
  cm::State state(cm::Id id) const { return manager_->info(id)->state; }
  /// Takes the oldest event; fails the test unless it is of this kind.
  cm::Event expect(cm::EventKind kind);
  bool silent() const { return events.empty(); }

  // Neighbours: the other nodes with this GID, in the network.
  std::optional<std::uint8_t> owner_of(std::uint64_t service_id,
                                       std::span<const std::byte> private_data) const override;
  bool is_alive(std::uint8_t slot) const override;
  bool we_speak() const override;
  bool is_local(const wire::Gid& where) const override;
  /// What this process has told the host that it serves.
  std::vector<cm::Service> published;

 private:
  Network& network_;
  const NodeOptions options_;
  std::unique_ptr<cm::Manager> manager_;
};

struct Faults {
  unsigned loss_percent = 0;
  unsigned repeat_percent = 0;
  Duration delay_min = Duration::us(5);
  Duration delay_max = Duration::us(5);
};

class Network {
 public:
  explicit Network(std::uint64_t seed = 1) : rng_(seed, "network") {}

  Node& add(const NodeOptions& options);
  TimePoint now() const { return now_; }
  Faults faults;
  /// Says whether a datagram is lost, besides chance.
  std::function<bool(const cm::Mad&)> loses;
  /// All datagrams that were sent, as one line each, when the test asks for it.
  std::vector<std::string>* log = nullptr;

  /// Lets everything happen that happens within `duration`.
  void run_for(Duration duration);
  /// ... until nothing is under way (repetitions and timewaits that are still to come do not count).
  void settle();
  /// A datagram from outside, as if from `from`.
  void inject(const wire::Path& path, std::span<const std::byte> bytes);
  std::vector<std::unique_ptr<Node>>& nodes() { return nodes_; }
  std::size_t sent() const { return sent_; }

 private:
  struct InFlight {
    wire::Path path;
    std::array<std::byte, cm::kMadBytes> bytes;
  };
  void exchange();
  void send(const cm::Manager::Send& send);
  void deliver(const wire::Path& path, std::span<const std::byte> bytes);

  base::Rng rng_;
  TimePoint now_ = TimePoint::from_ps(1'000'000'000);
  std::vector<std::unique_ptr<Node>> nodes_;
  std::multimap<std::uint64_t, InFlight> in_flight_;
  std::size_t sent_ = 0;
};

wire::Path path_between(const Node& from, const Node& to);
cm::ReqParam request_to(const Node& from, const Node& to, std::uint64_t service, std::uint32_t qpn);
/// A mad from `from` to `to` that no Manager has made.
void forge(Network& network, const Node& from, const Node& to, const cm::Message& message, std::uint64_t tid = 7);

inline constexpr std::uint64_t kService = cm::service_id(cm::PortSpace::kTcp, 7174);

/// A listens, B connects (qpn 0x20011 to 0x10011), both established.
struct Connected {
  Network network;
  Node& a;
  Node& b;
  cm::Id listener{}, at_a{}, at_b{};
  explicit Connected(std::uint64_t seed = 1, bool establish = true);
  void establish();
};

}  // namespace rocelab::test
