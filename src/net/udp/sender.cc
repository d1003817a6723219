// See sender.h.
#include "net/udp/sender.h"

#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace rocelab::net::udp {

namespace {

constexpr std::size_t kMessageBytesMax = 65'000;  // of one message before it is cut
constexpr std::size_t kAlignment = 64;

/// Appends a control message with a whole number; `header` has room for it.
template <class Number>
void add_control(msghdr& header, int level, int type, Number value) {
  auto* const entry = reinterpret_cast<cmsghdr*>(static_cast<char*>(header.msg_control) + header.msg_controllen);
  entry->cmsg_level = level;
  entry->cmsg_type = type;
  entry->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(entry), &value, sizeof value);
  header.msg_controllen += CMSG_SPACE(sizeof value);
}

}  // namespace

Sender::Sender(std::size_t frame_bytes_max, PortCounters& counters)
    : frame_bytes_max_(frame_bytes_max),
      stride_((frame_bytes_max + kAlignment - 1) / kAlignment * kAlignment),
      counters_(counters),
      frames_(kSlots * stride_),
      messages_(kSlots) {}

std::byte* Sender::reserve(std::size_t bytes) {
  if (bytes > frame_bytes_max_) return nullptr;
  if (count_ == kSlots) {
    send();
    if (count_ == kSlots) return nullptr;
  }
  reserved_ = true;
  return room(count_);
}

void Sender::commit(std::size_t bytes, std::span<const std::unique_ptr<UdpSocket>> sockets) {
  if (!std::exchange(reserved_, false)) return;
  const auto packet = take_apart({room(count_), std::min(bytes, frame_bytes_max_)});
  Slot& next = slot(count_);
  next.socket = nullptr;
  if (packet) {
    for (const auto& socket : sockets) {
      if (!socket->is_group() && socket->gid() == packet->source) next.socket = socket.get();
    }
  }
  if (next.socket == nullptr) {
    ++counters_.tx_dropped;
    ++given_;  // gone: nobody is to wait for it
    return;
  }
  next.packet = *packet;
  ++count_;
}

std::size_t Sender::flush() {
  if (count_ != 0) send();
  return std::exchange(given_, 0);
}

std::size_t Sender::run_length(std::size_t i) {
  const Slot& first = slot(i);
  if (!first.socket->may_segment() || first.packet.destination.is_multicast()) return 1;
  std::size_t packets = 1, bytes = first.packet.bytes;
  for (; i + packets < count_ && packets < kSegmentsMax; ++packets) {
    const Slot& next = slot(i + packets);
    const Departure& packet = next.packet;
    // All but the last have the length of the first. One process: the receiver's filter looks at the first alone.
    if (next.socket != first.socket || packet.bytes > first.packet.bytes ||
        packet.destination != first.packet.destination || packet.process() != first.packet.process() ||
        packet.traffic_class != first.packet.traffic_class || packet.hop_limit != first.packet.hop_limit ||
        bytes + packet.bytes > kMessageBytesMax) {
      break;
    }
    bytes += packet.bytes;
    if (packet.bytes < first.packet.bytes) return packets + 1;
  }
  return packets;
}

void Sender::fill(Message& message, mmsghdr& header, std::size_t first) {
  const Departure& packet = slot(first).packet;
  const UdpSocket& socket = *slot(first).socket;
  for (std::size_t i = 0; i < message.packets; ++i) {
    Departure& piece = slot(first + i).packet;
    if (socket.is_ipv4()) set_identification(piece, static_cast<std::uint16_t>(i));
    pieces_[first + i] = {piece.transport, piece.bytes};
  }
  message.to = SocketAddress::of(packet.destination, socket.interface_index());
  msghdr& to = header.msg_hdr;
  to = {};
  to.msg_name = &message.to.storage;
  to.msg_namelen = message.to.length;
  to.msg_iov = &pieces_[first];
  to.msg_iovlen = message.packets;
  to.msg_control = message.control.data();
  const int level = socket.is_ipv4() ? IPPROTO_IP : IPPROTO_IPV6;
  if (packet.traffic_class != 0) {
    add_control<int>(to, level, socket.is_ipv4() ? IP_TOS : IPV6_TCLASS, packet.traffic_class);
  }
  if (packet.hop_limit != kUsualHopLimit && packet.hop_limit != 0) {
    add_control<int>(to, level, socket.is_ipv4() ? IP_TTL : IPV6_HOPLIMIT, packet.hop_limit);
  }
  if (message.packets > 1) {
    add_control<std::uint16_t>(to, IPPROTO_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(packet.bytes));
  }
  if (to.msg_controllen == 0) to.msg_control = nullptr;
}

void Sender::send() {
  while (count_ != 0) {
    // As many messages as follow each other on one socket.
    UdpSocket* const socket = slot(0).socket;
    std::size_t messages = 0;
    for (std::size_t at = 0; at < count_ && slot(at).socket == socket; ++messages) {
      Message& message = messages_[messages];
      message.packets = run_length(at);
      fill(message, headers_[messages], at);
      at += message.packets;
    }
    const int sent =
        sendmmsg(socket->fd(), headers_.data(), static_cast<unsigned>(messages), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) return;  // later
      refused(errno, messages_[0].packets);
      continue;
    }
    for (int i = 0; i < sent; ++i) {
      const std::size_t packets = messages_[static_cast<std::size_t>(i)].packets;
      counters_.tx_frames += packets;
      for (std::size_t k = 0; k < packets; ++k) counters_.tx_bytes += slot(k).packet.bytes;
      pop(packets);
    }
  }
}

void Sender::refused(int error, std::size_t packets) {
  UdpSocket& socket = *slot(0).socket;
  if (packets > 1 && (error == EINVAL || error == EIO || error == EMSGSIZE || error == EOPNOTSUPP)) {
    socket.never_segment();  // no checksum offload on the way, say: one by one from now on
    return;
  }
  counters_.tx_dropped += packets;  // no route, forbidden by a firewall, longer than the path's MTU
  pop(packets);
}

void Sender::pop(std::size_t packets) {
  head_ = (head_ + packets) % kSlots;
  count_ -= packets;
  given_ += packets;
}

}  // namespace rocelab::net::udp
