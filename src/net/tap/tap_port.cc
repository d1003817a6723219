// See tap_port.h.
#include "net/tap/tap_port.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/frame_codec.h"
#include "net/tap/responder.h"
#include "wire/bytes.h"
#include "wire/ethernet.h"

namespace rocelab::net::tap {

namespace {

constexpr std::size_t kSlots = 64;      // frames committed that the kernel has not taken
constexpr unsigned kStrangersMax = 64;  // frames of no interest in one burst
constexpr unsigned kCallsPerLook = 64;  // of link_up()
constexpr std::size_t kStride = 4352;   // a frame, in whole cache lines
static_assert(kStride >= kFrameBytesMax);

class Tap final : public Port {
 public:
  explicit Tap(const TapOptions& options)
      : options_(options),
        frame_bytes_max_(options.frame_bytes_max == 0 ? kFrameBytesMax
                                                      : std::min(options.frame_bytes_max, kFrameBytesMax)),
        responder_(options.mac, options.addresses),
        outgoing_(kSlots * kStride),
        incoming_(kBurstMax * kStride) {}
  ~Tap() override { abandon(); }

  base::TextResult<void> open();

  std::string_view name() const override { return options_.interface; }
  std::size_t frame_bytes_max() const override { return frame_bytes_max_; }
  std::byte* tx_reserve(std::size_t bytes) override;
  void tx_commit(std::size_t bytes) override;
  std::size_t tx_flush() override;
  bool tx_waiting() const override { return count_ != 0; }
  std::size_t rx_burst(std::span<Frame> out) override;
  void rx_release() override {}
  int wait_fd() const override { return fd_; }
  bool link_up() const override;
  std::optional<wire::MacAddress> neighbour(const wire::Gid& destination) const override {
    return responder_.find(destination);
  }
  bool hear(Frame frame) override { return responder_.hear(frame); }
  void ask_for_neighbour(const wire::Gid& destination, const wire::Gid& source) override;
  void abandon() noexcept override;
  const PortCounters& counters() const override { return counters_; }

 private:
  std::byte* slot(std::size_t i) { return outgoing_.data() + (head_ + i) % kSlots * kStride; }

  const TapOptions options_;
  const std::size_t frame_bytes_max_;
  Responder responder_;
  int fd_ = -1;
  int asking_ = -1;  ///< a socket for questions about the interface
  PortCounters counters_;
  std::vector<std::byte> outgoing_, incoming_;
  std::array<std::size_t, kSlots> lengths_{};
  std::size_t head_ = 0, count_ = 0, given_ = 0;
  bool reserved_ = false;
  mutable bool up_ = false;
  mutable unsigned up_calls_ = 0;
};

base::TextResult<void> Tap::open() {
  const std::string& name = options_.interface;
  const auto failed = [&](const std::string& why) {
    return base::fail_text(fmt::format("interface {}: {}", name, why));
  };
  if (name.empty() || name.size() >= IFNAMSIZ)
    return base::fail_text(fmt::format("\"{}\": not an interface name", name));
  asking_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int error = 0;
  // One queue, or several: the interface has been made as the one or the other.
  for (const int queues : {0, IFF_MULTI_QUEUE}) {
    fd_ = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd_ < 0) return failed(fmt::format("/dev/net/tun: {}", std::strerror(errno)));
    ifreq request{};
    std::memcpy(request.ifr_name, name.c_str(), name.size());
    request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | queues);
    if (ioctl(fd_, TUNSETIFF, &request) == 0) return {};
    error = errno;
    close(std::exchange(fd_, -1));
    if (error != EINVAL) break;
  }
  switch (error) {
    case EPERM:
      return failed("no permission: it must belong to this user (ip tuntap add NAME mode tap user USER)");
    case EBUSY:
      return failed("another process has it: add it with multi_queue to share it");
    case EINVAL:
      return failed("it is not a TAP interface");
    default:
      return failed(std::strerror(error));
  }
}

std::byte* Tap::tx_reserve(std::size_t bytes) {
  if (bytes > frame_bytes_max_ || fd_ < 0) return nullptr;
  if (count_ == kSlots) {
    given_ += tx_flush();
    if (count_ == kSlots) return nullptr;
  }
  reserved_ = true;
  return slot(count_);
}

void Tap::tx_commit(std::size_t bytes) {
  if (!std::exchange(reserved_, false)) return;
  lengths_[(head_ + count_) % kSlots] = bytes;
  ++count_;
}

std::size_t Tap::tx_flush() {
  while (count_ != 0 && fd_ >= 0) {
    const std::size_t bytes = lengths_[head_];
    const ssize_t written = write(fd_, slot(0), bytes);
    if (written < 0 && (errno == EAGAIN || errno == ENOBUFS)) break;
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      ++counters_.tx_dropped;  // the interface is down
    } else {
      ++counters_.tx_frames;
      counters_.tx_bytes += bytes;
    }
    head_ = (head_ + 1) % kSlots;
    --count_;
    ++given_;
  }
  return std::exchange(given_, 0);
}

std::size_t Tap::rx_burst(std::span<Frame> out) {
  const std::size_t room = std::min(out.size(), kBurstMax);
  std::size_t frames = 0;
  for (unsigned strangers = 0; frames < room && strangers < kStrangersMax && fd_ >= 0;) {
    std::byte* const to = incoming_.data() + frames * kStride;
    const ssize_t got = read(fd_, to, kStride);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    const Frame frame(to, static_cast<std::size_t>(got));
    const auto reply = responder_.take(frame);
    if (!reply.empty()) static_cast<void>(!write(fd_, reply.data(), reply.size()));
    const bool tells = responder_.hear(frame);  // goes on to the host's other processes: one of them may have asked
    const bool of_interest = frame.size() > wire::EthernetHeader::kSize && reply.empty();
    const auto type = of_interest ? wire::load_be<std::uint16_t>(to + 12) : std::uint16_t{0};
    if (!tells && type != wire::ethertype::kIpv4 && type != wire::ethertype::kIpv6 &&
        type != wire::ethertype::kRoceV1 && type != wire::ethertype::kVlan) {
      ++strangers;
      continue;
    }
    if (frame.size() > kFrameBytesMax) {
      ++counters_.rx_dropped;
      ++strangers;
      continue;
    }
    ++counters_.rx_frames;
    counters_.rx_bytes += frame.size();
    out[frames++] = frame;
  }
  return frames;
}

void Tap::ask_for_neighbour(const wire::Gid& destination, const wire::Gid& source) {
  const auto question = responder_.ask(destination, source);
  if (!question.empty() && fd_ >= 0) static_cast<void>(!write(fd_, question.data(), question.size()));
}

/// Asked for every packet: looks again after so many calls while up, at once while down.
bool Tap::link_up() const {
  if (up_ && ++up_calls_ < kCallsPerLook) return true;
  up_calls_ = 0;
  ifreq request{};
  std::memcpy(request.ifr_name, options_.interface.c_str(),
              std::min<std::size_t>(options_.interface.size(), IFNAMSIZ - 1));
  constexpr int kUp = IFF_UP | IFF_RUNNING;
  up_ = fd_ >= 0 && ioctl(asking_, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & kUp) == kUp;
  return up_;
}

void Tap::abandon() noexcept {
  for (int* fd : {&fd_, &asking_}) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
  }
}

}  // namespace

base::TextResult<std::unique_ptr<Port>> TapPort::create(const TapOptions& options) {
  auto port = std::make_unique<Tap>(options);
  if (auto opened = port->open(); !opened) return base::fail_text(std::move(opened.error()));
  return port;
}

}  // namespace rocelab::net::tap
