// See cm_endpoint.h.
#include "tests/runtime/cm_endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace rocelab::tests {

namespace {

using cm::EventKind;
using cm::IpHeader;

constexpr std::size_t kHalf = 1u << 16;
constexpr std::uint8_t kHurry = 14;  ///< 67 ms: repetitions are harmless, and a test that loses something ends soon

std::string status(const base::Result<void>& result) { return result ? "ok" : result.error().what; }

}  // namespace

CmEndpoint::CmEndpoint(runtime::LocalDevice& device, std::uint8_t gid_index) : device_(device), gid_index_(gid_index) {
  auto service = device.connections();
  if (!service) std::abort();
  service_ = *service;
  service_->set_handler(this);
}

CmEndpoint::~CmEndpoint() { service_->set_handler(nullptr); }

void CmEndpoint::on_connection_event(cm::Manager& manager, base::TimePoint now, const cm::Event& event) noexcept {
  // As a kernel would: what needs no consumer is done here.
  if (event.kind == EventKind::kDreqReceived) static_cast<void>(manager.send_drep(now, event.id, {}));
  const std::lock_guard guard(mutex_);
  events_.push_back(event);
  happened_.notify_all();
}

cm::Event CmEndpoint::wait(std::optional<cm::Id> id) {
  std::unique_lock lock(mutex_);
  const auto wanted = [&id](const cm::Event& event) {
    return id ? event.id == *id : event.kind == EventKind::kReqReceived;
  };
  auto found = events_.end();
  happened_.wait(lock, [&] { return (found = std::find_if(events_.begin(), events_.end(), wanted)) != events_.end(); });
  cm::Event event = *found;
  events_.erase(found);
  return event;
}

std::vector<std::byte> CmEndpoint::where(const Endpoint& endpoint, bool header) const {
  std::vector<std::byte> data(header ? IpHeader::kSize : 0);
  const Address address = endpoint.address();
  if (header) {
    IpHeader ip;
    ip.ip_version = address.gid.is_ipv4_mapped() ? 4 : 6;
    ip.source_port = 1;
    ip.source = ip.destination = address.gid;
    ip.emit(data);
  }
  const std::size_t at = data.size();
  data.resize(at + sizeof(address.memory) + sizeof(address.rkey));
  std::memcpy(data.data() + at, &address.memory, sizeof(address.memory));
  std::memcpy(data.data() + at + sizeof(address.memory), &address.rkey, sizeof(address.rkey));
  return data;
}

Address CmEndpoint::peer_of(const cm::PrivateData& data, std::size_t skip) {
  Address address;
  std::memcpy(&address.memory, data.bytes.data() + skip, sizeof(address.memory));
  std::memcpy(&address.rkey, data.bytes.data() + skip + sizeof(address.memory), sizeof(address.rkey));
  return address;
}

std::string CmEndpoint::listen(std::uint16_t port) {
  const auto bound = service_->bind_port({cm::PortSpace::kTcp, port, {}, {}, false});
  if (!bound) return bound.error().what;
  port_ = bound->handle;
  const auto listening = service_->with_manager([&](cm::Manager& manager, base::TimePoint) -> base::Result<void> {
    const auto id = manager.create_id(nullptr);
    if (!id) return tl::make_unexpected(id.error());
    listener_ = *id;
    return manager.listen(*id, {cm::service_id(cm::PortSpace::kTcp, bound->port), cm::kExactService, {}, {}});
  });
  if (!listening) return listening.error().what;
  if (const auto published = service_->listen_port(*port_); !published) return published.error().what;
  return std::to_string(bound->port);
}

std::string CmEndpoint::stop_listening() {
  service_->release_port(*port_);
  return status(service_->with_manager(
      [&](cm::Manager& manager, base::TimePoint now) { return manager.destroy_id(now, *listener_); }));
}

std::string CmEndpoint::change(Connection& connection, rxe::QpState to) {
  auto change = service_->qp_change(connection.id, to);
  if (!change) return change.error().what;
  if (to == rxe::QpState::kRtr) {
    change->attr.path_mtu = device_.description().mtu;
    change->attr.min_rnr_timer = 1;
  }
  const int error = connection.endpoint->modify(change->attr, change->mask);
  return error == 0 ? "ok" : fmt::format("modify_qp to {}: {}", static_cast<int>(to), error);
}

std::string CmEndpoint::raise(Connection& connection) {
  for (const auto to : {rxe::QpState::kInit, rxe::QpState::kRtr, rxe::QpState::kRts}) {
    if (auto changed = change(connection, to); changed != "ok") return changed;
  }
  return "ok";
}

std::string CmEndpoint::reply(cm::Id id, Connection& connection) {
  const auto data = where(*connection.endpoint, false);
  cm::RepParam rep;
  rep.qpn = connection.endpoint->qpn();
  rep.responder_resources = rep.initiator_depth = 4;
  rep.private_data = data;
  return status(service_->with_manager(
      [&](cm::Manager& manager, base::TimePoint now) { return manager.send_rep(now, id, rep); }));
}

std::string CmEndpoint::accept() {
  const cm::Event request = wait(std::nullopt);
  Connection connection{request.id, std::make_unique<Endpoint>(device_, Endpoint::Options{2 * kHalf, gid_index_})};
  connection.endpoint->set_peer(peer_of(std::get<cm::Req>(request.message).private_data, IpHeader::kSize));
  if (auto raised = raise(connection); raised != "ok") return raised;
  if (auto replied = reply(request.id, connection); replied != "ok") return replied;
  const cm::Event ready = wait(request.id);
  connections_.push_back(std::move(connection));
  return ready.kind == EventKind::kRtuReceived ? "ok" : std::string(to_string(ready.kind));
}

std::string CmEndpoint::refuse() {
  const cm::Event request = wait(std::nullopt);
  return status(service_->with_manager(
      [&](cm::Manager& manager, base::TimePoint now) { return manager.destroy_id(now, request.id); }));
}

std::string CmEndpoint::connect(std::uint16_t port, bool wait_for_it) {
  Connection connection{{}, std::make_unique<Endpoint>(device_, Endpoint::Options{2 * kHalf, gid_index_})};
  const wire::Gid gid = connection.endpoint->address().gid;
  rxe::AddressVector av;
  av.dgid = gid;
  av.sgid_index = gid_index_;
  const auto mac = device_.resolve(gid, gid_index_);
  if (!mac) return mac.error().what;
  av.destination_mac = *mac;
  const auto path = service_->path_of(av);
  if (!path) return path.error().what;
  const auto data = where(*connection.endpoint, true);
  cm::ReqParam param;
  param.service_id = cm::service_id(cm::PortSpace::kTcp, port);
  param.path = *path;
  param.qpn = connection.endpoint->qpn();
  param.responder_resources = param.initiator_depth = 4;
  param.path_mtu = static_cast<std::uint8_t>(device_.description().mtu);
  param.remote_response_timeout = param.local_response_timeout = param.packet_life_time = kHurry;
  param.private_data = data;
  const auto sent = service_->with_manager([&](cm::Manager& manager, base::TimePoint now) -> base::Result<void> {
    const auto id = manager.create_id(nullptr);
    if (!id) return tl::make_unexpected(id.error());
    connection.id = *id;
    return manager.send_req(now, *id, param);
  });
  if (!sent) return sent.error().what;
  connections_.push_back(std::move(connection));
  if (!wait_for_it) return "ok";
  Connection& made = connections_.back();
  const cm::Event answer = wait(made.id);
  if (answer.kind == EventKind::kRejReceived) {
    return fmt::format("rejected {}", static_cast<int>(std::get<cm::Rej>(answer.message).reason));
  }
  if (answer.kind != EventKind::kRepReceived) return std::string(to_string(answer.kind));
  made.endpoint->set_peer(peer_of(std::get<cm::Rep>(answer.message).private_data, 0));
  if (auto raised = raise(made); raised != "ok") return raised;
  return status(service_->with_manager(
      [&](cm::Manager& manager, base::TimePoint now) { return manager.send_rtu(now, made.id, {}); }));
}

std::string CmEndpoint::write(std::size_t connection, std::uint32_t bytes) {
  Endpoint& e = *connections_.at(connection).endpoint;
  for (std::uint32_t i = 0; i < bytes; ++i) e.memory()[i] = static_cast<std::byte>(i * 7 + bytes);
  if (const int error = e.post_write(1, 0, bytes, kHalf)) return fmt::format("post_write: {}", error);
  if (const int error = e.post_read(2, kHalf, bytes, kHalf)) return fmt::format("post_read: {}", error);
  for (int n = 0; n < 2; ++n) {
    const auto done = e.wait();
    if (done.status != rxe::WcStatus::kSuccess) return fmt::format("status {}", static_cast<int>(done.status));
  }
  return std::memcmp(e.memory(), e.memory() + kHalf, bytes) == 0 ? "ok" : "wrong bytes";
}

std::string CmEndpoint::disconnect(std::size_t connection) {
  const cm::Id id = connections_.at(connection).id;
  const auto sent =
      service_->with_manager([&](cm::Manager& manager, base::TimePoint now) { return manager.send_dreq(now, id, {}); });
  if (!sent) return sent.error().what;
  return std::string(to_string(wait(id).kind));
}

std::string CmEndpoint::await_end(std::size_t connection) {
  return std::string(to_string(wait(connections_.at(connection).id).kind));
}

std::string CmEndpoint::destroy(std::size_t connection) {
  return status(service_->with_manager([&](cm::Manager& manager, base::TimePoint now) {
    return manager.destroy_id(now, connections_.at(connection).id);
  }));
}

std::string CmEndpoint::counters() {
  std::string text;
  static_cast<void>(service_->with_manager([&](cm::Manager& manager, base::TimePoint) -> base::Result<void> {
    const cm::ManagerCounters& c = manager.counters();
    text =
        fmt::format("received {} sent {} repeated {} unknown {} not_ours {} stale {} out_of_state {} ids {}",
                    c.received, c.sent, c.repeated, c.unknown, c.not_ours, c.stale, c.out_of_state, manager.id_count());
    return {};
  }));
  return text;
}

}  // namespace rocelab::tests
