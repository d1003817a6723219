// See xdp_port.h.
#include "net/xdp/xdp_port.h"

#include <fmt/format.h>
#include <net/if.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "net/xdp/bpf.h"
#include "net/xdp/steering_program.h"
#include "net/xdp/xsk.h"

namespace rocelab::net::xdp {

namespace {

constexpr std::uint32_t kSocketsMax = 8;  // 5 MB each
constexpr unsigned kReleaseWaitsMax = 100;
constexpr int kReleaseWaitMs = 5;

class Xdp final : public Port {
 public:
  explicit Xdp(const XdpOptions& options) : options_(options) {}

  base::TextResult<void> open(Port& beside);
  void take(std::unique_ptr<Port> beside) { beside_ = std::move(beside); }

  std::string_view name() const override { return options_.interface; }
  std::size_t frame_bytes_max() const override { return beside_->frame_bytes_max(); }
  std::byte* tx_reserve(std::size_t bytes) override;
  void tx_commit(std::size_t bytes) override;
  std::size_t tx_flush() override { return sockets_.front()->tx_flush(); }
  bool tx_waiting() const override { return sockets_.front()->tx_waiting(); }
  std::size_t rx_burst(std::span<Frame> out) override;
  void rx_release() override;
  int wait_fd() const override { return epoll_.fd(); }
  bool link_up() const override { return beside_->link_up(); }
  void abandon() noexcept override;
  const PortCounters& counters() const override { return counters_; }

 private:
  base::TextResult<void> watch(int fd);

  const XdpOptions options_;
  PortCounters counters_;
  std::unique_ptr<Port> beside_;
  Descriptor map_, program_, epoll_;
  std::vector<std::unique_ptr<Xsk>> sockets_;
  Descriptor link_;  // goes first: no frame is picked any more when the sockets close
  std::size_t turn_ = 0;
  bool abandoned_ = false;
};

base::TextResult<void> Xdp::open(Port& beside) {
  const auto failed = [&](const std::string& why) {
    return base::fail_text(fmt::format("interface {}: AF_XDP: {}", options_.interface, why));
  };
  if (beside.frame_bytes_max() > kFrameBytesMax) {
    return failed(
        fmt::format("its frames have up to {} bytes, and AF_XDP carries {}", beside.frame_bytes_max(), kFrameBytesMax));
  }
  const unsigned index = if_nametoindex(options_.interface.c_str());
  if (index == 0) return failed(std::strerror(errno));
  auto map = make_socket_map(kQueuesMax);
  if (!map) return failed(map.error());
  map_ = std::move(*map);
  auto program = load_xdp_program(steering_program(map_.fd(), static_cast<std::uint8_t>(options_.process)));
  if (!program) return failed(program.error());
  program_ = std::move(*program);
  auto link = attach_xdp(program_.fd(), index);
  if (!link) return failed(link.error());
  link_ = std::move(*link);
  epoll_ = Descriptor(epoll_create1(EPOLL_CLOEXEC));

  base::Error last{ENODEV, "there is no queue"};
  for (std::uint32_t queue = 0; queue < kQueuesMax && sockets_.size() < kSocketsMax; ++queue) {
    auto socket = std::make_unique<Xsk>();
    auto opened = socket->open(index, queue);
    // The program is ours: most likely its former owner has just ended, and the kernel is still giving the queue back.
    for (unsigned wait = 0; !opened && opened.error().code == EBUSY && wait < kReleaseWaitsMax; ++wait) {
      poll(nullptr, 0, kReleaseWaitMs);
      socket = std::make_unique<Xsk>();
      opened = socket->open(index, queue);
    }
    if (!opened && opened.error().code == EBUSY) {
      last = opened.error();
      continue;  // somebody else's
    }
    if (!opened) {
      if (last.code != EBUSY) last = opened.error();
      break;  // no more queues
    }
    if (auto put = put_socket(map_.fd(), queue, socket->fd()); !put) return failed(put.error());
    if (auto watched = watch(socket->fd()); !watched) return failed(watched.error());
    sockets_.push_back(std::move(socket));
  }
  if (sockets_.empty()) return failed(fmt::format("{}: {}", last.what, std::strerror(last.code)));
  if (auto watched = watch(beside.wait_fd()); !watched) return failed(watched.error());
  return {};
}

base::TextResult<void> Xdp::watch(int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (epoll_ctl(epoll_.fd(), EPOLL_CTL_ADD, fd, &event) == 0) return {};
  return base::fail_text(fmt::format("cannot watch a socket: {}", std::strerror(errno)));
}

std::byte* Xdp::tx_reserve(std::size_t bytes) {
  if (bytes > frame_bytes_max() || abandoned_) return nullptr;
  std::byte* const room = sockets_.front()->tx_reserve();
  if (room != nullptr) return room;
  sockets_.front()->tx_flush();
  return sockets_.front()->tx_reserve();
}

void Xdp::tx_commit(std::size_t bytes) {
  sockets_.front()->tx_commit(bytes);
  ++counters_.tx_frames;
  counters_.tx_bytes += bytes;
}

std::size_t Xdp::rx_burst(std::span<Frame> out) {
  if (abandoned_) return 0;
  const std::span<Frame> room = out.first(std::min(out.size(), kBurstMax));
  // One source a burst, in turn.
  for (std::size_t tried = 0; tried <= sockets_.size(); ++tried) {
    turn_ = turn_ == sockets_.size() ? 0 : turn_ + 1;
    const std::size_t count = turn_ == sockets_.size() ? beside_->rx_burst(room) : sockets_[turn_]->rx_burst(room);
    if (count == 0) {
      rx_release();
      continue;
    }
    counters_.rx_frames += count;
    for (const Frame& frame : room.first(count)) counters_.rx_bytes += frame.size();
    return count;
  }
  return 0;
}

void Xdp::rx_release() {
  if (abandoned_) return;
  beside_->rx_release();
  for (const auto& socket : sockets_) socket->rx_release();
}

void Xdp::abandon() noexcept {
  abandoned_ = true;
  for (const auto& socket : sockets_) socket->abandon();
  for (Descriptor* descriptor : {&link_, &program_, &map_, &epoll_}) *descriptor = Descriptor();
  if (beside_ != nullptr) beside_->abandon();
}

}  // namespace

base::TextResult<std::unique_ptr<Port>> XdpPort::create(const XdpOptions& options, std::unique_ptr<Port>& beside) {
  auto port = std::make_unique<Xdp>(options);
  if (auto opened = port->open(*beside); !opened) return base::fail_text(std::move(opened.error()));
  port->take(std::move(beside));
  return port;
}

}  // namespace rocelab::net::xdp
