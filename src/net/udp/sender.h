// Outgoing frames of a UDP port: a ring of frames being written or waiting, and their way into sockets, many in one
// system call. Runs of packets of one length to one process are handed over as one message, which the kernel cuts up
// (UDP_SEGMENT); it numbers the pieces by their identification field, 0, 1, 2, ..., which the ICRCs are made to match.
// Owned by the port.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "net/port.h"
#include "net/udp/datagram.h"
#include "net/udp/udp_socket.h"

namespace rocelab::net::udp {

class Sender {
 public:
  static constexpr std::size_t kSlots = 64;        ///< frames committed that the kernel has not taken
  static constexpr std::size_t kSegmentsMax = 64;  ///< UDP_MAX_SEGMENTS of the oldest kernels

  /// `counters` is the port's.
  Sender(std::size_t frame_bytes_max, PortCounters& counters);

  std::byte* reserve(std::size_t bytes);
  /// `sockets` are our addresses: the frame leaves by its source's.
  void commit(std::size_t bytes, std::span<const std::unique_ptr<UdpSocket>> sockets);
  std::size_t flush();
  bool waiting() const { return count_ != 0; }

 private:
  struct Slot {
    Departure packet;
    UdpSocket* socket = nullptr;
  };
  /// Control messages of one message: hop limit, traffic class, length of the pieces.
  static constexpr std::size_t kControlBytes = 3 * CMSG_SPACE(sizeof(int));
  struct Message {
    std::size_t packets = 0;
    SocketAddress to;
    alignas(cmsghdr) std::array<char, kControlBytes> control{};
  };

  Slot& slot(std::size_t i) { return slots_[(head_ + i) % kSlots]; }
  std::byte* room(std::size_t i) { return frames_.data() + (head_ + i) % kSlots * stride_; }
  /// How many packets from the i-th on make one message.
  std::size_t run_length(std::size_t i);
  void fill(Message& message, mmsghdr& header, std::size_t first);
  void send();
  /// The first message was refused for good.
  void refused(int error, std::size_t packets);
  void pop(std::size_t packets);

  const std::size_t frame_bytes_max_, stride_;
  PortCounters& counters_;
  std::vector<std::byte> frames_;
  std::array<Slot, kSlots> slots_;
  std::size_t head_ = 0, count_ = 0;
  bool reserved_ = false;
  std::size_t given_ = 0;
  std::vector<Message> messages_;
  std::array<mmsghdr, kSlots> headers_{};
  std::array<iovec, kSlots> pieces_{};
};

}  // namespace rocelab::net::udp
