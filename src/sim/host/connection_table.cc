// See connection_table.h.
#include "sim/host/connection_table.h"

namespace rocelab::sim {

ConnectionId ConnectionTable::add(const ConnectionOptions& options, FlowOwner* owner, NodeId peer) {
  Connection connection;
  connection.options = &options;
  connection.owner = owner;
  connection.peer = peer;
  connection.single_message = options.single_message;
  connection.source_arena = memory_bytes_;
  connection.sink_arena = memory_bytes_ + options.message_bytes_max;
  memory_bytes_ += 2 * options.message_bytes_max;
  connections_.push_back(connection);
  return static_cast<ConnectionId>(connections_.size() - 1);
}

std::uint32_t ConnectionTable::push(Connection& connection, const FlowRequest& what) {
  std::uint32_t index = free_request_;
  if (index != kNoRequest) {
    free_request_ = requests_[index].next;
  } else {
    index = static_cast<std::uint32_t>(requests_.size());
    requests_.emplace_back();
  }
  requests_[index] = {what, kNoRequest, true};
  if (connection.first_request == kNoRequest) {
    connection.first_request = index;
  } else {
    requests_[connection.last_request].next = index;
  }
  connection.last_request = index;
  if (connection.next_request == kNoRequest) connection.next_request = index;
  return index;
}

FlowRequest ConnectionTable::pop(Connection& connection) {
  const std::uint32_t index = connection.first_request;
  Request& request = requests_[index];
  connection.first_request = request.next;
  if (request.next == kNoRequest) connection.last_request = kNoRequest;
  if (connection.next_request == index) connection.next_request = request.next;
  request.outstanding = false;
  request.next = free_request_;
  free_request_ = index;
  return request.what;
}

}  // namespace rocelab::sim
