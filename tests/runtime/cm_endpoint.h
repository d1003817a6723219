// A consumer of connection management on a LocalDevice, for the tests of src/runtime: listens, connects, accepts, and
// brings an Endpoint's QP to RTS as the ids say. Private data carries where the memory is. Events are waited for; every
// wait is for something that must come.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "runtime/connection_service.h"
#include "runtime/local_device.h"
#include "tests/runtime/endpoint.h"

namespace rocelab::tests {

class CmEndpoint final : public runtime::ConnectionHandler {
 public:
  explicit CmEndpoint(runtime::LocalDevice& device, std::uint8_t gid_index);
  ~CmEndpoint();
  CmEndpoint(const CmEndpoint&) = delete;
  CmEndpoint& operator=(const CmEndpoint&) = delete;

  // Answers are "ok" or what went wrong.
  std::string listen(std::uint16_t port);
  std::string stop_listening();
  /// A new connection; its number is that of connections made before it.
  std::string accept();
  /// Waits for a request and refuses it.
  std::string refuse();
  /// With `reply` false: sends the REQ and returns.
  std::string connect(std::uint16_t port, bool wait);
  std::string write(std::size_t connection, std::uint32_t bytes);
  std::string disconnect(std::size_t connection);
  /// Waits until the peer has ended the connection.
  std::string await_end(std::size_t connection);
  std::string destroy(std::size_t connection);
  std::string counters();

 private:
  struct Connection {
    cm::Id id{};
    std::unique_ptr<Endpoint> endpoint;
  };
  void on_connection_event(cm::Manager& manager, base::TimePoint now, const cm::Event& event) noexcept override;
  /// The next event of an id; of any new one when there is none.
  cm::Event wait(std::optional<cm::Id> id);
  std::string change(Connection& connection, rxe::QpState to);
  std::string raise(Connection& connection);
  std::string reply(cm::Id id, Connection& connection);
  std::vector<std::byte> where(const Endpoint& endpoint, bool header) const;
  static Address peer_of(const cm::PrivateData& data, std::size_t skip);

  runtime::LocalDevice& device_;
  const std::uint8_t gid_index_;
  runtime::ConnectionService* service_;
  std::optional<cm::Id> listener_;
  std::optional<runtime::PortHandle> port_;
  std::vector<Connection> connections_;

  std::mutex mutex_;
  std::condition_variable happened_;
  std::deque<cm::Event> events_;
};

}  // namespace rocelab::tests
