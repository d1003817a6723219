// See receiver.h.
#include "net/udp/receiver.h"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cstring>

namespace rocelab::net::udp {

namespace {

/// A whole number in a control message, one byte or four; a shorter one is 0.
int number_in(const cmsghdr& entry) {
  int value = 0;
  const std::size_t bytes = entry.cmsg_len - CMSG_LEN(0);
  if (bytes >= sizeof value) {
    std::memcpy(&value, CMSG_DATA(&entry), sizeof value);
  } else if (bytes >= 1) {
    value = *CMSG_DATA(&entry);
  }
  return value;
}

}  // namespace

Receiver::Receiver(PortCounters& counters, std::uint32_t process)
    : counters_(counters),
      process_(process),
      buffers_(new std::byte[kMessages * kStride]),
      pieces_(kBurstMax * kPieceStride) {
  for (std::size_t i = 0; i < kMessages; ++i) vectors_[i] = {buffer(i), kMessageBytesMax};
}

bool Receiver::refill(UdpSocket& socket) {
  messages_ = message_ = at_ = 0;
  socket_ = &socket;
  for (std::size_t i = 0; i < kMessages; ++i) {
    msghdr& header = headers_[i].msg_hdr;
    header = {};
    header.msg_name = &names_[i];
    header.msg_namelen = sizeof names_[i];
    header.msg_iov = &vectors_[i];
    header.msg_iovlen = 1;
    header.msg_control = controls_[i].data();
    header.msg_controllen = kControlBytes;
  }
  const int received = recvmmsg(socket.fd(), headers_.data(), kMessages, MSG_DONTWAIT, nullptr);
  if (received <= 0) return false;
  for (std::size_t i = 0; i < static_cast<std::size_t>(received); ++i) {
    if (!describe(i)) {
      described_[i].bytes = 0;
      ++counters_.rx_dropped;
    }
  }
  messages_ = static_cast<std::size_t>(received);
  return true;
}

bool Receiver::describe(std::size_t i) {
  msghdr& header = headers_[i].msg_hdr;
  Message& message = described_[i];
  const int family = socket_->is_ipv4() ? AF_INET : AF_INET6;
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || names_[i].ss_family != family) return false;
  message.bytes = headers_[i].msg_len;
  message.piece_bytes = message.bytes;
  message.arrival = {gid_of(names_[i]), socket_->gid(), port_of(names_[i]), 0, 0};
  for (const cmsghdr* entry = CMSG_FIRSTHDR(&header); entry != nullptr;
       entry = CMSG_NXTHDR(&header, const_cast<cmsghdr*>(entry))) {
    const int value = number_in(*entry);
    if (entry->cmsg_level == IPPROTO_UDP && entry->cmsg_type == UDP_GRO && value > 0) {
      message.piece_bytes = static_cast<std::size_t>(value);
    } else if ((entry->cmsg_level == IPPROTO_IP && entry->cmsg_type == IP_TOS) ||
               (entry->cmsg_level == IPPROTO_IPV6 && entry->cmsg_type == IPV6_TCLASS)) {
      message.arrival.traffic_class = static_cast<std::uint8_t>(value);
    } else if ((entry->cmsg_level == IPPROTO_IP && entry->cmsg_type == IP_TTL) ||
               (entry->cmsg_level == IPPROTO_IPV6 && entry->cmsg_type == IPV6_HOPLIMIT)) {
      message.arrival.hop_limit = static_cast<std::uint8_t>(value);
    }
  }
  return true;
}

std::size_t Receiver::take(std::span<Frame> out, std::span<const std::unique_ptr<UdpSocket>> own) {
  std::size_t frames = 0;
  const std::size_t room = std::min(out.size(), kBurstMax);
  checked_ = 0;
  while (frames < room && message_ < messages_) {
    const Message& message = described_[message_];
    if (at_ >= message.bytes) {
      ++message_;
      at_ = 0;
      continue;
    }
    const std::size_t bytes = std::min(message.piece_bytes, message.bytes - at_);
    std::byte* transport = buffer(message_) + at_;
    const bool first = at_ == 0;
    at_ += bytes;
    if (bytes > kFrameBytesMax) {
      ++counters_.rx_dropped;
      continue;
    }
    if (socket_->is_group()) {
      // The kernel gives a group's packets back to the machine that has sent them. This host's other processes have had
      // it.
      const bool ours =
          std::any_of(own.begin(), own.end(), [&](const auto& s) { return s->gid() == message.arrival.source; });
      if (ours) continue;
    } else {
      if (socket_->take_probe({transport, bytes})) continue;
      const auto process = bytes > 5 ? static_cast<std::uint32_t>(transport[5]) : process_;
      if (process != process_ && process != 0) socket_->note_stray();
    }
    if (!first) {  // no room for headers in front of it: that is where the piece before lies
      std::byte* const copy = pieces_.data() + frames * kPieceStride + kHeadroomBytes;
      std::memcpy(copy, transport, bytes);
      transport = copy;
    }
    const Rebuilt rebuilt = rebuild(message.arrival, transport, bytes);
    if (rebuilt.checked) checked_ |= 1u << frames;
    ++counters_.rx_frames;
    counters_.rx_bytes += rebuilt.frame.size();
    out[frames++] = rebuilt.frame;
  }
  return frames;
}

void Receiver::forget(const UdpSocket& socket) {
  if (socket_ != &socket) return;
  messages_ = message_ = 0;
  socket_ = nullptr;
}

}  // namespace rocelab::net::udp
