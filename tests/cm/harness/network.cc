// See network.h.
#include "tests/cm/harness/network.h"

#include <algorithm>

#include "tests/support/catch.h"

namespace rocelab::test {

Node::Node(Network& network, const NodeOptions& options, std::uint64_t seed) : network_(network), options_(options) {
  cm::ManagerOptions manager{seed};
  manager.slot = options.slot;
  manager.ca_guid = options.ca_guid;
  manager.ids_max = options.ids_max;
  manager.events_max = options.events_max;
  manager_ = std::make_unique<cm::Manager>(manager, *this);
}

cm::Event Node::expect(cm::EventKind kind) {
  REQUIRE_FALSE(events.empty());
  cm::Event event = events.front();
  events.erase(events.begin());
  INFO("event " << to_string(event.kind));
  REQUIRE(event.kind == kind);
  return event;
}

std::optional<std::uint8_t> Node::owner_of(std::uint64_t service_id, std::span<const std::byte> private_data) const {
  unsigned best = 0;
  std::optional<std::uint8_t> owner;
  for (const auto& node : network_.nodes()) {
    if (!node->alive || node->options_.address != options_.address) continue;
    for (const cm::Service& service : node->published) {
      const unsigned how_well = cm::fit(service, service_id, private_data);
      if (how_well > best) best = how_well, owner = node->options_.slot;
    }
  }
  return owner;
}

bool Node::is_alive(std::uint8_t slot) const {
  return std::any_of(network_.nodes().begin(), network_.nodes().end(), [&](const auto& node) {
    return node->alive && node->options_.address == options_.address && node->options_.slot == slot;
  });
}

bool Node::we_speak() const {
  return std::none_of(network_.nodes().begin(), network_.nodes().end(), [&](const auto& node) {
    return node->alive && node->options_.address == options_.address && node->options_.slot < options_.slot;
  });
}

bool Node::is_local(const wire::Gid& where) const { return where == gid(); }

// --- the network ---------------------------------------------------------------------------------------------------

Node& Network::add(const NodeOptions& options) {
  nodes_.push_back(std::make_unique<Node>(*this, options, rng_.next()));
  return *nodes_.back();
}

void Network::send(const cm::Manager::Send& send) {
  ++sent_;
  const auto parsed = cm::parse_mad(send.bytes);
  REQUIRE(parsed.mad.has_value());
  if (log != nullptr) log->push_back(to_string(parsed.mad->message));
  if (loses && loses(*parsed.mad)) return;
  const unsigned copies = rng_.chance(faults.repeat_percent, 100) ? 2 : 1;
  for (unsigned i = 0; i < copies; ++i) {
    if (rng_.chance(faults.loss_percent, 100)) continue;
    const auto spread = static_cast<std::uint64_t>((faults.delay_max - faults.delay_min).count_ps());
    const Duration delay = faults.delay_min + Duration::ps(static_cast<std::int64_t>(rng_.below(spread + 1)));
    in_flight_.insert({(now_ + delay).count_ps(), InFlight{send.path, send.bytes}});
  }
}

void Network::exchange() {
  for (bool again = true; again;) {
    again = false;
    for (const auto& node : nodes_) {
      while (const auto event = node->manager().poll_event()) {
        again = true;
        if (!node->alive) continue;
        if (node->on_event) node->on_event(*event);
        node->events.push_back(*event);
      }
      while (const auto* next = node->manager().next_send()) {
        again = true;
        if (node->alive) send(*next);
        node->manager().pop_send();
      }
    }
  }
}

void Network::deliver(const wire::Path& path, std::span<const std::byte> bytes) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    Node& node = *nodes_[i];
    if (node.alive && node.gid() == path.destination_gid) node.manager().handle_mad(now_, path, bytes);
  }
}

void Network::inject(const wire::Path& path, std::span<const std::byte> bytes) {
  deliver(path, bytes);
  exchange();
}

void Network::run_for(Duration duration) {
  const TimePoint end = now_ + duration;
  exchange();
  for (;;) {
    TimePoint next = end;
    if (!in_flight_.empty()) next = std::min(next, TimePoint::from_ps(in_flight_.begin()->first));
    for (const auto& node : nodes_) {
      const auto due = node->manager().next_timeout();
      if (node->alive && due && *due < next) next = *due;
    }
    now_ = std::max(now_, next);
    while (!in_flight_.empty() && in_flight_.begin()->first <= now_.count_ps()) {
      const InFlight arrived = in_flight_.begin()->second;
      in_flight_.erase(in_flight_.begin());
      deliver(arrived.path, arrived.bytes);
    }
    for (const auto& node : nodes_) {
      if (node->alive) node->manager().handle_timeout(now_);
    }
    exchange();
    if (now_ >= end) return;
  }
}

void Network::settle() {
  exchange();
  while (!in_flight_.empty()) run_for(TimePoint::from_ps(in_flight_.begin()->first) - now_);
}

// --- helpers -------------------------------------------------------------------------------------------------------

wire::Path path_between(const Node& from, const Node& to) {
  wire::Path path;
  path.source_gid = from.gid();
  path.destination_gid = to.gid();
  path.source_mac = {2, 0, 0, 0, 0, from.options().slot};
  path.destination_mac = {2, 0, 0, 0, 0, to.options().slot};
  return path;
}

cm::ReqParam request_to(const Node& from, const Node& to, std::uint64_t service, std::uint32_t qpn) {
  cm::ReqParam param;
  param.service_id = service;
  param.path = path_between(from, to);
  param.qpn = qpn;
  param.starting_psn = 0x123456;
  param.responder_resources = 4;
  param.initiator_depth = 2;
  return param;
}

void forge(Network& network, const Node& from, const Node& to, const cm::Message& message, std::uint64_t tid) {
  std::array<std::byte, cm::kMadBytes> bytes;
  cm::emit_mad({tid, message}, bytes);
  network.inject(path_between(from, to), bytes);
}

Connected::Connected(std::uint64_t seed, bool now)
    : network(seed),
      a(network.add({1, 0xaaaa, 0x0a4d'0001, 65'536, 65'536})),
      b(network.add({2, 0xbbbb, 0x0a4d'0002, 65'536, 65'536})) {
  listener = a.create();
  REQUIRE(a.manager().listen(listener, {kService, cm::kExactService, {}, {}}));
  if (now) establish();
}

void Connected::establish() {
  at_b = b.create();
  REQUIRE(b.manager().send_req(network.now(), at_b, request_to(b, a, kService, 0x20011)));
  network.settle();
  at_a = a.expect(cm::EventKind::kReqReceived).id;
  cm::RepParam rep;
  rep.qpn = 0x10011;
  rep.starting_psn = 0x654321;
  rep.responder_resources = 2;
  rep.initiator_depth = 4;
  REQUIRE(a.manager().send_rep(network.now(), at_a, rep));
  network.settle();
  b.expect(cm::EventKind::kRepReceived);
  REQUIRE(b.manager().send_rtu(network.now(), at_b, {}));
  network.settle();
  a.expect(cm::EventKind::kRtuReceived);
}

}  // namespace rocelab::test
