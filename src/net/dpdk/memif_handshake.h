// What a peer may say on a memif link's socket, and when: DPDK's driver believes ring offsets, ring sizes and the
// number of rings that it is told, and would follow them out of the shared memory. A link has one ring each way, in one
// region; the order of messages is fixed. One guard a connection, asked before the driver sees a message. No state
// elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace rocelab::net::dpdk {

class HandshakeGuard {
 public:
  static constexpr std::size_t kMessageBytes = 128;

  /// `server`: this end has accepted the connection.
  explicit HandshakeGuard(bool server) : server_(server) {}

  /// True when `message`, which came with that many descriptors, is in order.
  bool accepts(std::span<const std::byte, kMessageBytes> message, std::size_t descriptors);

 private:
  bool accepts_as_server(std::uint16_t type, std::span<const std::byte, kMessageBytes> message,
                         std::size_t descriptors);

  bool server_;
  bool begun_ = false;              ///< HELLO has come (client), INIT has come (server)
  bool finished_ = false;           ///< CONNECTED has come (client), CONNECT has come (server)
  std::uint64_t region_bytes_ = 0;  ///< 0: not announced yet
  bool rings_[2] = {};              ///< announced: server to client, client to server
};

}  // namespace rocelab::net::dpdk
