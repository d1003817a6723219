// perf/udp_rate: one end of a stream of packets over IPv4, by one of several ways; perf/rootless starts two of them in
// network namespaces and compares. Packets are RoCE v2 WRITEs, encoded and decoded where a port of ours carries them.
//
//     udp_rate recv MODE OWN PEER BYTES            waits for a stream, prints "PACKETS NANOSECONDS" when it has ended
//     udp_rate send MODE OWN PEER BYTES SECONDS    sends as fast as it can
//
// mmsg: sendmmsg and recvmmsg, 32 packets a call. segments: UDP_SEGMENT and UDP_GRO on the same sockets. io_uring: 32
// requests a call. port: our UDP port; port_datagrams: without segments; af_packet: our raw port, on interface veth0.
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/dpdk/af_packet_port.h"
#include "net/frame_codec.h"
#include "net/neighbour.h"
#include "net/udp/udp_port.h"
#include "wire/packet.h"
#include "wire/udp.h"

namespace rocelab::perf {
namespace {

constexpr unsigned kBatch = 32;
constexpr std::size_t kRoomBytes = 65'536;
constexpr int kSilenceMs = 400;  // after which a stream has ended
constexpr int kStartMs = 10'000;
constexpr std::size_t kTransportBytes = 12 + 16 + 4;  // BTH, RETH, ICRC

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

struct Arguments {
  std::string mode;
  wire::Gid own, peer;
  std::size_t bytes = 0;  ///< payload
  double seconds = 0;
  std::size_t datagram_bytes() const { return bytes + kTransportBytes; }
};

/// A way to move packets, one burst a call.
class Way {
 public:
  virtual ~Way() = default;
  /// How many left.
  virtual std::size_t send() = 0;
  /// How many came.
  virtual std::size_t receive() = 0;
  virtual int fd() const = 0;
};

sockaddr_in address_of(const wire::Gid& gid) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(wire::kRoceV2Port);
  address.sin_addr.s_addr = htonl(gid.ipv4());
  return address;
}

/// A plain socket with buffers for batches.
class Sockets : public Way {
 public:
  Sockets(const Arguments& arguments, bool segments)
      : segments_(segments), bytes_(arguments.datagram_bytes()), peer_(address_of(arguments.peer)) {
    fd_ = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int large = 8 << 20, on = 1, probe = IP_PMTUDISC_PROBE;
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &large, sizeof large);
    setsockopt(fd_, SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
    setsockopt(fd_, IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof probe);
    if (segments) setsockopt(fd_, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
    const sockaddr_in own = address_of(arguments.own);
    if (bind(fd_, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) std::perror("bind");
    room_.resize(kBatch * kRoomBytes);
    for (unsigned i = 0; i < kBatch; ++i) pieces_[i] = {room_.data() + i * kRoomBytes, kRoomBytes};
  }
  ~Sockets() override { close(fd_); }
  int fd() const override { return fd_; }

  std::size_t send() override {
    const unsigned messages = segments_ ? 1 : kBatch;
    for (unsigned i = 0; i < messages; ++i) prepare_to_send(i);
    const int sent = sendmmsg(fd_, headers_.data(), messages, MSG_DONTWAIT);
    return sent <= 0 ? 0 : static_cast<std::size_t>(sent) * (segments_ ? kBatch : 1);
  }
  std::size_t receive() override {
    for (unsigned i = 0; i < kBatch; ++i) prepare_to_receive(i);
    const int received = recvmmsg(fd_, headers_.data(), kBatch, MSG_DONTWAIT, nullptr);
    std::size_t packets = 0;
    for (int i = 0; i < received; ++i) packets += headers_[static_cast<unsigned>(i)].msg_len / bytes_;
    return packets;
  }

 protected:
  void prepare_to_send(unsigned i) {
    msghdr& header = headers_[i].msg_hdr;
    header = {};
    header.msg_name = &peer_;
    header.msg_namelen = sizeof peer_;
    pieces_[i].iov_len = segments_ ? bytes_ * kBatch : bytes_;
    header.msg_iov = &pieces_[i];
    header.msg_iovlen = 1;
    if (!segments_) return;
    auto* const entry = reinterpret_cast<cmsghdr*>(control_.data());
    entry->cmsg_level = IPPROTO_UDP;
    entry->cmsg_type = UDP_SEGMENT;
    entry->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
    const auto size = static_cast<std::uint16_t>(bytes_);
    std::memcpy(CMSG_DATA(entry), &size, sizeof size);
    header.msg_control = control_.data();
    header.msg_controllen = CMSG_SPACE(sizeof size);
  }
  void prepare_to_receive(unsigned i) {
    msghdr& header = headers_[i].msg_hdr;
    header = {};
    header.msg_name = &names_[i];
    header.msg_namelen = sizeof names_[i];
    pieces_[i].iov_len = kRoomBytes;
    header.msg_iov = &pieces_[i];
    header.msg_iovlen = 1;
  }

  const bool segments_;
  const std::size_t bytes_;
  sockaddr_in peer_;
  int fd_ = -1;
  std::vector<std::byte> room_;
  std::array<iovec, kBatch> pieces_{};
  std::array<mmsghdr, kBatch> headers_{};
  std::array<sockaddr_in, kBatch> names_{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(std::uint16_t))> control_{};
};

/// The same socket by io_uring: 32 messages are submitted and waited for in one call.
class Uring final : public Sockets {
 public:
  explicit Uring(const Arguments& arguments) : Sockets(arguments, false) {
    io_uring_params parameters{};
    ring_ = static_cast<int>(syscall(SYS_io_uring_setup, kBatch, &parameters));
    if (ring_ < 0) {
      std::perror("io_uring_setup");
      return;
    }
    const std::size_t bytes = parameters.cq_off.cqes + parameters.cq_entries * sizeof(io_uring_cqe) +
                              parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned);
    auto* const rings = static_cast<std::byte*>(
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring_, IORING_OFF_SQ_RING));
    entries_ =
        static_cast<io_uring_sqe*>(mmap(nullptr, parameters.sq_entries * sizeof(io_uring_sqe), PROT_READ | PROT_WRITE,
                                        MAP_SHARED | MAP_POPULATE, ring_, IORING_OFF_SQES));
    tail_ = reinterpret_cast<unsigned*>(rings + parameters.sq_off.tail);
    mask_ = *reinterpret_cast<unsigned*>(rings + parameters.sq_off.ring_mask);
    array_ = reinterpret_cast<unsigned*>(rings + parameters.sq_off.array);
    done_head_ = reinterpret_cast<unsigned*>(rings + parameters.cq_off.head);
    done_tail_ = reinterpret_cast<unsigned*>(rings + parameters.cq_off.tail);
    done_mask_ = *reinterpret_cast<unsigned*>(rings + parameters.cq_off.ring_mask);
    done_ = reinterpret_cast<io_uring_cqe*>(rings + parameters.cq_off.cqes);
  }
  ~Uring() override {
    if (ring_ >= 0) close(ring_);
  }

  std::size_t send() override {
    for (unsigned i = 0; i < kBatch; ++i) prepare_to_send(i);
    return submit(IORING_OP_SENDMSG);
  }
  std::size_t receive() override {
    for (unsigned i = 0; i < kBatch; ++i) prepare_to_receive(i);
    return submit(IORING_OP_RECVMSG);
  }

 private:
  std::size_t submit(std::uint8_t operation) {
    if (ring_ < 0) return 0;
    unsigned tail = *tail_;
    for (unsigned i = 0; i < kBatch; ++i, ++tail) {
      io_uring_sqe& entry = entries_[tail & mask_];
      std::memset(&entry, 0, sizeof entry);
      entry.opcode = operation;
      entry.fd = fd_;
      entry.addr = reinterpret_cast<std::uint64_t>(&headers_[i].msg_hdr);
      entry.len = 1;
      entry.msg_flags = MSG_DONTWAIT;
      array_[tail & mask_] = tail & mask_;
    }
    std::atomic_ref(*tail_).store(tail, std::memory_order_release);
    syscall(SYS_io_uring_enter, ring_, kBatch, kBatch, IORING_ENTER_GETEVENTS, nullptr, 0);
    std::size_t packets = 0;
    unsigned head = *done_head_;
    for (; head != std::atomic_ref(*done_tail_).load(std::memory_order_acquire); ++head) {
      if (done_[head & done_mask_].res > 0) ++packets;
    }
    std::atomic_ref(*done_head_).store(head, std::memory_order_release);
    return packets;
  }

  int ring_ = -1;
  io_uring_sqe* entries_ = nullptr;
  unsigned *tail_ = nullptr, *array_ = nullptr, *done_head_ = nullptr, *done_tail_ = nullptr;
  unsigned mask_ = 0, done_mask_ = 0;
  io_uring_cqe* done_ = nullptr;
};

/// A port of ours: packets are encoded, and decoded with everything checked.
class Ports final : public Way {
 public:
  Ports(const Arguments& arguments, std::unique_ptr<net::Port> port, const wire::MacAddress& peer_mac)
      : port_(std::move(port)), payload_(arguments.bytes) {
    packet_.path.destination_mac = peer_mac;
    packet_.path.source_gid = arguments.own;
    packet_.path.destination_gid = arguments.peer;
    packet_.path.udp_source_port = 0xc001;
    packet_.bth.opcode = wire::Opcode::kRcRdmaWriteOnly;
    packet_.bth.destination_qpn = 0x010001;
    packet_.reth.dma_length = static_cast<std::uint32_t>(arguments.bytes);
    packet_.payload = {payload_.data(), static_cast<std::uint32_t>(payload_.size()), {}};
  }
  int fd() const override { return port_->wait_fd(); }

  std::size_t send() override {
    const std::size_t bytes = net::encoded_size(packet_);
    for (unsigned i = 0; i < kBatch; ++i) {
      std::byte* const room = port_->tx_reserve(bytes);
      if (room == nullptr) break;
      ++packet_.bth.psn;
      port_->tx_commit(net::encode_frame(packet_, {room, bytes}));
    }
    return port_->tx_flush();
  }
  std::size_t receive() override {
    std::array<net::Frame, net::kBurstMax> frames;
    std::size_t good = 0;
    const std::size_t count = port_->rx_burst(frames);
    for (std::size_t i = 0; i < count; ++i) {
      const bool checked = (port_->rx_checked() >> i & 1) != 0;
      const auto decoded =
          checked ? net::decode_checked_frame(frames[i], received_) : net::decode_frame(frames[i], received_);
      good += decoded ? 1 : 0;
    }
    port_->rx_release();
    return good;
  }

 private:
  std::unique_ptr<net::Port> port_;
  std::vector<std::byte> payload_;
  wire::Packet packet_, received_;
};

std::unique_ptr<Way> make(const Arguments& arguments) {
  if (arguments.mode == "mmsg") return std::make_unique<Sockets>(arguments, false);
  if (arguments.mode == "segments") return std::make_unique<Sockets>(arguments, true);
  if (arguments.mode == "io_uring") return std::make_unique<Uring>(arguments);
  base::TextResult<std::unique_ptr<net::Port>> port;
  wire::MacAddress mac{};
  if (arguments.mode == "af_packet") {
    port = net::dpdk::AfPacketPort::create({.interface = "veth0"});
    const auto found = net::resolve_neighbour_text({.interface = "veth0", .destination = arguments.peer});
    if (!found) {
      std::fprintf(stderr, "%s\n", found.error().c_str());
      return nullptr;
    }
    mac = *found;
  } else {
    net::udp::UdpOptions options;
    options.name = "udp";
    options.addresses = {{arguments.own, 0}};
    options.batching = arguments.mode == "port" ? net::udp::Batching::kSegments : net::udp::Batching::kDatagrams;
    port = net::udp::UdpPort::create(options);
  }
  if (!port) {
    std::fprintf(stderr, "%s\n", port.error().c_str());
    return nullptr;
  }
  return std::make_unique<Ports>(arguments, std::move(*port), mac);
}

int receive(Way& way) {
  std::printf("ready\n");
  std::fflush(stdout);
  std::uint64_t packets = 0;
  std::int64_t first = 0, last = 0;
  for (;;) {
    const std::size_t count = way.receive();
    if (count != 0) {
      last = now_ns();
      if (first == 0) first = last;
      packets += count;
      continue;
    }
    pollfd fd{way.fd(), POLLIN, 0};
    if (poll(&fd, 1, first == 0 ? kStartMs : kSilenceMs) == 0) break;
  }
  std::printf("%llu %lld\n", static_cast<unsigned long long>(packets), static_cast<long long>(last - first));
  return packets == 0 ? 1 : 0;
}

int send(Way& way, double seconds) {
  const std::int64_t end = now_ns() + static_cast<std::int64_t>(seconds * 1e9);
  std::uint64_t packets = 0;
  while (now_ns() < end) {
    const std::size_t count = way.send();
    packets += count;
    if (count != 0) continue;
    pollfd fd{way.fd(), POLLOUT, 0};
    poll(&fd, 1, 1);
  }
  std::printf("%llu\n", static_cast<unsigned long long>(packets));
  return packets == 0 ? 1 : 0;
}

}  // namespace
}  // namespace rocelab::perf

int main(int argc, char** argv) {
  using namespace rocelab;
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  perf::Arguments arguments;
  if (words.size() < 5) {
    std::fprintf(stderr, "usage: udp_rate recv|send MODE OWN PEER BYTES [SECONDS]\n");
    return 2;
  }
  arguments.mode = words[1];
  arguments.own = wire::parse_gid(words[2]).value_or(wire::Gid{});
  arguments.peer = wire::parse_gid(words[3]).value_or(wire::Gid{});
  std::from_chars(words[4].data(), words[4].data() + words[4].size(), arguments.bytes);
  if (words.size() > 5) std::from_chars(words[5].data(), words[5].data() + words[5].size(), arguments.seconds);
  const auto way = perf::make(arguments);
  if (way == nullptr) return 1;
  return words[0] == "recv" ? perf::receive(*way) : perf::send(*way, arguments.seconds);
}
