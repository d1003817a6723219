// Access to the socket that DPDK's af_packet driver hides: while a scope exists in the thread, every AF_PACKET socket
// that the driver opens is prepared here. Used by af_packet_port.cc.
#pragma once

#include <cstdint>

namespace rocelab::net::dpdk {

class PacketSocketScope {
 public:
  /// `process`: see roce_filter.h.
  explicit PacketSocketScope(std::uint32_t process);
  ~PacketSocketScope();
  PacketSocketScope(const PacketSocketScope&) = delete;
  PacketSocketScope& operator=(const PacketSocketScope&) = delete;

  /// Called by the driver's socket(): attaches the filter, and remembers the last one, which is the queue's.
  void opened(int fd);
  int fd() const { return fd_; }
  /// errno of the filter's refusal; 0: none.
  int error() const { return error_; }

 private:
  const std::uint32_t process_;
  int fd_ = -1;
  int error_ = 0;
};

}  // namespace rocelab::net::dpdk
