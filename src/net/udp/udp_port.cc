// See udp_port.h.
#include "net/udp/udp_port.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/frame_codec.h"
#include "net/udp/receiver.h"
#include "net/udp/sender.h"
#include "net/udp/udp_socket.h"

namespace rocelab::net::udp {

namespace {

constexpr std::size_t kGroupsMax = 256;
constexpr unsigned kHotBurstsMax = 8;  // bursts of one busy socket before the others are looked at

class Udp final : public Port {
 public:
  explicit Udp(const UdpOptions& options)
      : options_(options),
        frame_bytes_max_(options.frame_bytes_max == 0 ? kFrameBytesMax
                                                      : std::min(options.frame_bytes_max, kFrameBytesMax)),
        sender_(frame_bytes_max_, counters_),
        receiver_(counters_, options.process) {}
  ~Udp() override {
    if (epoll_ >= 0) close(epoll_);
  }

  base::TextResult<void> open();

  std::string_view name() const override { return options_.name; }
  std::size_t frame_bytes_max() const override { return frame_bytes_max_; }
  std::byte* tx_reserve(std::size_t bytes) override { return sender_.reserve(bytes); }
  void tx_commit(std::size_t bytes) override { sender_.commit(bytes, sockets_); }
  std::size_t tx_flush() override { return sender_.flush(); }
  bool tx_waiting() const override { return sender_.waiting(); }
  std::size_t rx_burst(std::span<Frame> out) override;
  void rx_release() override {}  // buffers are written again by the next burst
  std::uint32_t rx_checked() const override { return receiver_.checked(); }
  int wait_fd() const override { return epoll_; }
  void listen_to(std::span<const wire::Gid> groups) override;
  void abandon() noexcept override;
  const PortCounters& counters() const override { return counters_; }

 private:
  base::Result<void> watch(UdpSocket& socket);
  /// Asks the socket that was busy last, or whichever has something.
  bool refill();

  const UdpOptions options_;
  const std::size_t frame_bytes_max_;
  PortCounters counters_;
  Sender sender_;
  Receiver receiver_;
  int epoll_ = -1;
  std::vector<std::unique_ptr<UdpSocket>> sockets_;  ///< our addresses
  std::vector<std::unique_ptr<UdpSocket>> groups_;
  UdpSocket* hot_ = nullptr;
  unsigned hot_bursts_ = 0;
};

base::TextResult<void> Udp::open() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return base::fail_text(fmt::format("UDP port: {}", std::strerror(errno)));
  for (const UdpAddress& address : options_.addresses) {
    auto socket = std::make_unique<UdpSocket>();
    if (auto opened = socket->open(address, options_); !opened) return opened;
    if (auto watched = watch(*socket); !watched) return base::fail_text(watched.error().what);
    sockets_.push_back(std::move(socket));
  }
  hot_ = sockets_.front().get();
  return {};
}

base::Result<void> Udp::watch(UdpSocket& socket) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &socket;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, socket.fd(), &event) == 0) return {};
  return base::fail(errno, "UDP port: cannot watch a socket");
}

bool Udp::refill() {
  const bool others = sockets_.size() + groups_.size() > 1;
  if (!others || ++hot_bursts_ < kHotBurstsMax) {
    if (receiver_.refill(*hot_)) return true;
    if (!others) return false;
  }
  hot_bursts_ = 0;
  // The kernel lists ready sockets in turn.
  epoll_event event{};
  if (epoll_wait(epoll_, &event, 1, 0) != 1) return false;
  hot_ = static_cast<UdpSocket*>(event.data.ptr);
  return receiver_.refill(*hot_);
}

std::size_t Udp::rx_burst(std::span<Frame> out) {
  if (epoll_ < 0) return 0;
  if (!receiver_.has_rest() && !refill()) return 0;
  return receiver_.take(out, sockets_);
}

void Udp::listen_to(std::span<const wire::Gid> groups) {
  if (epoll_ < 0) return;
  std::erase_if(groups_, [&](const std::unique_ptr<UdpSocket>& socket) {
    if (std::find(groups.begin(), groups.end(), socket->gid()) != groups.end()) return false;
    receiver_.forget(*socket);
    if (hot_ == socket.get()) hot_ = sockets_.front().get();
    return true;  // closing takes it off the epoll
  });
  for (const wire::Gid& group : groups) {
    const auto known = [&](const std::unique_ptr<UdpSocket>& socket) { return socket->gid() == group; };
    if (std::any_of(groups_.begin(), groups_.end(), known) || groups_.size() >= kGroupsMax) continue;
    // By the interface of the first of our addresses of that family.
    for (const auto& own : sockets_) {
      if (own->is_ipv4() != group.is_ipv4_mapped()) continue;
      auto socket = std::make_unique<UdpSocket>();
      if (socket->open_group(group, {own->gid(), own->interface_index()}) && watch(*socket)) {
        groups_.push_back(std::move(socket));
      }
      break;
    }
  }
}

void Udp::abandon() noexcept {
  for (const auto& socket : sockets_) socket->abandon();
  for (const auto& socket : groups_) socket->abandon();
  if (epoll_ >= 0) close(epoll_);
  epoll_ = -1;
}

}  // namespace

base::TextResult<std::unique_ptr<Port>> UdpPort::create(const UdpOptions& options) {
  if (options.addresses.empty() || options.addresses.size() > kAddressesMax) {
    return base::fail_text(
        fmt::format("UDP port: {} addresses: expected 1 to {}", options.addresses.size(), kAddressesMax));
  }
  auto port = std::make_unique<Udp>(options);
  if (auto opened = port->open(); !opened) return base::fail_text(std::move(opened.error()));
  return port;
}

}  // namespace rocelab::net::udp
