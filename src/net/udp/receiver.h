// Incoming datagrams of a UDP port: many from one system call, joined ones (UDP_GRO) cut up again, frames made of them.
// Everything in them and about them is hostile until a decoder has said otherwise. Owned by the port.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "net/frame_codec.h"
#include "net/port.h"
#include "net/udp/datagram.h"
#include "net/udp/udp_socket.h"

namespace rocelab::net::udp {

class Receiver {
 public:
  static constexpr std::size_t kMessages = 32;             ///< of one system call
  static constexpr std::size_t kMessageBytesMax = 65'536;  ///< joined by the kernel

  /// `counters` is the port's; `process` ours.
  Receiver(PortCounters& counters, std::uint32_t process);

  /// Asks the kernel. Only when nothing is left; true: there is something now.
  bool refill(UdpSocket& socket);
  bool has_rest() const { return message_ < messages_; }
  /// Frames of what refill() has brought; `own` are the sockets whose addresses are ours.
  std::size_t take(std::span<Frame> out, std::span<const std::unique_ptr<UdpSocket>> own);
  /// Bit i: the i-th frame of the last take() has a right ICRC.
  std::uint32_t checked() const { return checked_; }
  /// The socket is about to go: what came from it is dropped.
  void forget(const UdpSocket& socket);

 private:
  struct Message {
    Arrival arrival;
    std::size_t bytes = 0;
    std::size_t piece_bytes = 0;
  };
  static constexpr std::size_t kControlBytes = 4 * CMSG_SPACE(sizeof(int));
  static constexpr std::size_t kStride = kHeadroomBytes + kMessageBytesMax;
  static constexpr std::size_t kPieceStride = kHeadroomBytes + kFrameBytesMax;

  std::byte* buffer(std::size_t message) { return buffers_.get() + message * kStride + kHeadroomBytes; }
  /// What the kernel says about message `i`; false: not to be used.
  bool describe(std::size_t i);

  PortCounters& counters_;
  const std::uint32_t process_;
  UdpSocket* socket_ = nullptr;           ///< of the messages
  std::unique_ptr<std::byte[]> buffers_;  ///< kMessages of them; pages become resident as they are used
  std::vector<std::byte> pieces_;         ///< frames that did not lie behind room for headers
  std::array<Message, kMessages> described_;
  std::array<mmsghdr, kMessages> headers_{};
  std::array<iovec, kMessages> vectors_{};
  std::array<sockaddr_storage, kMessages> names_{};
  std::array<std::array<char, kControlBytes>, kMessages> controls_;
  std::size_t messages_ = 0;  ///< received
  std::size_t message_ = 0;   ///< the next to be cut up
  std::size_t at_ = 0;        ///< in it
  std::uint32_t checked_ = 0;
};

}  // namespace rocelab::net::udp
