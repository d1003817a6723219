// A net::Port over DPDK's af_packet driver: its rings, our filter, and the socket as wait_fd().
#include "net/dpdk/af_packet_port.h"

#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <rte_ethdev.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <utility>

#include "net/dpdk/eal.h"
#include "net/dpdk/ethdev_port.h"
#include "net/dpdk/log_capture.h"
#include "net/dpdk/memif_control.h"
#include "net/dpdk/packet_calls.h"
#include "net/dpdk/roce_filter.h"
#include "wire/ethernet.h"
#include "wire/udp.h"

namespace rocelab::net::dpdk {

namespace {

constexpr std::size_t kRingHeaderBytes = 128;  // what the kernel puts before a frame in the ring, at most
constexpr unsigned kCallsPerLook = 64;         // of link_up()
constexpr std::size_t kBlockBytes = 32'768;    // contiguous memory that the kernel is asked for
constexpr std::size_t kEthernetBytes = wire::EthernetHeader::kSize + wire::VlanTag::kSize;

/// Closes with its scope.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

/// What the kernel says about an interface: its MTU, or a sentence why it can't be used.
base::TextResult<std::size_t> interface_mtu(const std::string& interface) {
  if (interface.empty() || interface.size() >= IFNAMSIZ || interface.find_first_of(",=[]\"'") != std::string::npos) {
    return base::fail_text(fmt::format("interface \"{}\": not an interface name", interface));
  }
  const Descriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::memcpy(request.ifr_name, interface.c_str(), interface.size());
  if (ioctl(any.fd(), SIOCGIFHWADDR, &request) != 0) {
    return base::fail_text(fmt::format("interface {}: {}", interface, std::strerror(errno)));
  }
  if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER) {
    return base::fail_text(fmt::format("interface {}: does not carry Ethernet", interface));
  }
  if (ioctl(any.fd(), SIOCGIFMTU, &request) != 0) {
    return base::fail_text(fmt::format("interface {}: {}", interface, std::strerror(errno)));
  }
  const Descriptor packet(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (packet.fd() < 0) {
    return base::fail_text(
        errno == EPERM || errno == EACCES
            ? fmt::format("interface {}: no permission for raw packets: needs CAP_NET_RAW", interface)
            : fmt::format("interface {}: no packet socket: {}", interface, std::strerror(errno)));
  }
  return static_cast<std::size_t>(request.ifr_mtu);
}

/// A UDP socket on RoCE's port that takes nothing: with it, the kernel does not answer our packets with "port
/// unreachable". Best effort: somebody else may have the port, and then nothing is answered either.
Descriptor hush_kernel(int family) {
  Descriptor hush(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  const sock_filter nothing{BPF_RET | BPF_K, 0, 0, 0};
  const sock_fprog program{1, const_cast<sock_filter*>(&nothing)};
  static_cast<void>(setsockopt(hush.fd(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
  static_cast<void>(setsockopt(hush.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
  if (family == AF_INET6) {
    static_cast<void>(setsockopt(hush.fd(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on));
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(wire::kRoceV2Port);
    static_cast<void>(bind(hush.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
  } else {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(wire::kRoceV2Port);
    static_cast<void>(bind(hush.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
  }
  return hush;
}

class AfPacket final : public EthdevPort {
 public:
  AfPacket(MemifControl& control, const AfPacketOptions& options, std::size_t frame_bytes_max)
      : EthdevPort(options.interface, frame_bytes_max), control_(control), options_(options) {}
  ~AfPacket() override;

  base::TextResult<void> open();

  std::size_t rx_burst(std::span<Frame> out) override { return eal_usable() ? receive_burst(out) : 0; }
  int wait_fd() const override { return fd_; }
  bool link_up() const override;

 private:
  void send_waiting() override;
  bool drops() const override { return !link_up(); }

  MemifControl& control_;  // its lock guards DPDK's tables of devices
  const AfPacketOptions options_;
  int fd_ = -1;                    // the driver's socket
  mutable bool up_ = false;        // as last seen
  mutable unsigned up_calls_ = 0;  // since then
  std::array<Descriptor, 2> hush_;
};

base::TextResult<void> AfPacket::open() {
  const unsigned number = next_number();
  const std::size_t ring_frame_bytes = std::bit_ceil(frame_bytes_max() + kRingHeaderBytes);
  const std::scoped_lock lock(control_.lock());
  // The driver copies as much as a frame of its ring may hold, whatever room there is.
  if (auto made = make_pool(fmt::format("af_packet{}", number), ring_frame_bytes); !made) return made;
  const PacketSocketScope scope(options_.process);
  auto made = make_device(fmt::format("net_af_packet{}", number),
                          fmt::format("iface={},blocksz={},framesz={},framecnt={}", options_.interface, kBlockBytes,
                                      ring_frame_bytes, options_.ring_slots),
                          options_.ring_slots);
  if (!made) return made;
  if (scope.error() != 0) {
    return base::fail_text(
        fmt::format("interface {}: the kernel refused our filter: {}", name(), std::strerror(scope.error())));
  }
  fd_ = scope.fd();
  // Groups that QPs join have no members in the kernel's own tables.
  packet_mreq membership{};
  membership.mr_ifindex = static_cast<int>(if_nametoindex(options_.interface.c_str()));
  membership.mr_type = PACKET_MR_ALLMULTI;
  static_cast<void>(setsockopt(fd_, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof membership));
  hush_ = {hush_kernel(AF_INET), hush_kernel(AF_INET6)};
  const LogCapture log;
  if (rte_eth_dev_start(device()) != 0) {
    return base::fail_text(log.explain(fmt::format("interface {}: DPDK cannot start the port", name())));
  }
  return {};
}

AfPacket::~AfPacket() {
  if (!eal_usable()) return;
  const std::scoped_lock lock(control_.lock());
  destroy_device();
}

/// Asked for every packet: looks again after so many calls while up, at once while down.
bool AfPacket::link_up() const {
  if (up_ && ++up_calls_ < kCallsPerLook) return true;
  up_calls_ = 0;
  ifreq request{};
  std::memcpy(request.ifr_name, options_.interface.c_str(), options_.interface.size());
  constexpr int kUp = IFF_UP | IFF_RUNNING;
  up_ = eal_usable() && ioctl(fd_, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & kUp) == kUp;
  return up_;
}

void AfPacket::send_waiting() {
  if (!eal_usable() || !tx_waiting()) return;
  if (send_burst() != 0) return;
  up_calls_ = kCallsPerLook;  // full, or down: this time it matters
  if (drops()) drop_waiting();
}

}  // namespace

base::TextResult<std::unique_ptr<Port>> AfPacketPort::create(const AfPacketOptions& options) {
  if (!std::has_single_bit(options.ring_slots) || options.ring_slots < 64 || options.ring_slots > 4096) {
    return base::fail_text(fmt::format("interface {}: ring slots {}: expected a power of two, 64 to 4096",
                                       options.interface, options.ring_slots));
  }
  const auto mtu = interface_mtu(options.interface);
  if (!mtu) return base::fail_text(mtu.error());
  if (auto started = start_eal(); !started) return base::fail_text(std::move(started.error()));
  auto control = MemifControl::instance();
  if (!control) return base::fail_text(std::move(control.error()));
  auto port = std::make_unique<AfPacket>(**control, options, std::min(*mtu + kEthernetBytes, kFrameBytesMax));
  if (auto opened = port->open(); !opened) return base::fail_text(std::move(opened.error()));
  return port;
}

}  // namespace rocelab::net::dpdk
