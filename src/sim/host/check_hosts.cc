// What must be true of hosts once a run has come to its end; see host.h.
#include <string>

#include "sim/host/host.h"
#include "sim/host/host_stack.h"

namespace rocelab::sim {
namespace {

void expect_zero(std::vector<std::string>& wrong, const Host& host, std::uint64_t count, const char* what) {
  if (count != 0) wrong.push_back(host.name() + ": " + std::to_string(count) + " " + what);
}

}  // namespace

std::vector<std::string> check_hosts(std::span<const std::unique_ptr<Host>> hosts) {
  std::vector<std::string> wrong;
  for (const auto& pointer : hosts) {
    const Host& host = *pointer;
    const HostCounters& counters = host.counters();
    expect_zero(wrong, host, counters.disordered, "completions out of order, or of requests completed before");
    expect_zero(wrong, host, counters.misdelivered, "messages arrived with wrong bytes");
    expect_zero(wrong, host, host.buffered_bytes(), "bytes are left in the receive buffer");
    std::uint64_t waiting = 0;
    for (ConnectionId id = 0; id < host.connections_.size(); ++id) {
      const Connection& connection = host.connections_.at(id);
      if (connection.first_request != kNoRequest) ++waiting;
      if (host.stack_ == nullptr || connection.peer >= hosts.size()) continue;
      const Host& peer = *hosts[connection.peer];
      const std::string name = host.name() + " to " + peer.name() + ": ";
      if (!host.stack_->delivered(id, connection.read)) wrong.push_back(name + "a READ brought wrong bytes");
      const ConnectionId other = ConnectionTable::id_of(connection.peer_qpn);
      if (connection.written != 0 && (peer.stack_ == nullptr || !peer.stack_->delivered(other, connection.written))) {
        wrong.push_back(name + "wrong bytes were delivered");
      }
    }
    expect_zero(wrong, host, waiting, "connections have requests that never completed");
  }
  return wrong;
}

}  // namespace rocelab::sim
