// A net::Port over DPDK's memif driver. Frames wait in mbufs of our own until the ring takes them; the driver copies
// them into shared memory, and the peer's driver copies them out.
#include "net/dpdk/memif_port.h"

#include <fmt/format.h>
#include <rte_ethdev.h>
#include <rte_interrupts.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "net/dpdk/eal.h"
#include "net/dpdk/ethdev_port.h"
#include "net/dpdk/log_capture.h"
#include "net/dpdk/memif_control.h"

namespace rocelab::net::dpdk {

namespace {

constexpr unsigned kIdleBurstsPerLook = 64;          // empty bursts between two looks at the link's state
constexpr std::int64_t kReconnectPauseNs = 500'000;  // between two attempts of a client without a server
// A handshake is some six round trips between two threads; on a machine with thirty runnable threads a processor each
// of them takes a tenth of a second. One that takes longer than this is begun anew: the server has stood still and gone
// on.
constexpr std::int64_t kHandshakeNs = 8'000'000'000;
constexpr std::size_t kLine = 64;

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000L + now.tv_nsec;
}

/// The ports of this process with the same socket path. The driver has one listening socket for all its servers, and
/// cannot be client and server of the same path.
struct PathUse {
  int listener = -1;
  std::set<std::uint32_t> server_ids;
  std::set<std::uint32_t> client_ids;
};

/// Guarded by MemifControl's lock.
std::map<std::string, PathUse>& path_uses() {
  static auto* const all = new std::map<std::string, PathUse>;
  return *all;
}

/// Removes the socket file of a server that died. A message when somebody listens there, or it is no socket.
base::TextResult<void> clear_stale_socket(const std::string& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return {};  // nothing there, or the driver will say why not
  if (!S_ISSOCK(status.st_mode)) return base::fail_text(fmt::format("memif: {} exists and is not a socket", path));
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return base::fail_text(fmt::format("memif: no socket: {}", std::strerror(errno)));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int result = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const bool refused = result != 0 && errno == ECONNREFUSED;
  close(fd);
  if (!refused) return base::fail_text(fmt::format("memif: another process serves {}", path));
  unlink(path.c_str());
  return {};
}

base::TextResult<void> check(const MemifOptions& options) {
  const std::string& path = options.socket_path;
  if (path.empty() || path[0] != '/' || path.size() >= sizeof(sockaddr_un::sun_path)) {
    return base::fail_text(fmt::format("memif: socket path \"{}\": expected an absolute path of at most {} bytes", path,
                                       sizeof(sockaddr_un::sun_path) - 1));
  }
  if (path.find_first_of(",=[]\"'") != std::string::npos) {
    return base::fail_text(fmt::format("memif: socket path {}: has a character that DPDK takes for its own", path));
  }
  if (!std::has_single_bit(options.ring_slots) || options.ring_slots < 64 || options.ring_slots > 16'384) {
    return base::fail_text(
        fmt::format("memif: ring slots {}: expected a power of two, 64 to 16384", options.ring_slots));
  }
  if (options.frame_bytes_max < 64 || options.frame_bytes_max > 16'384) {
    return base::fail_text(fmt::format("memif: frame bytes {}: expected 64 to 16384", options.frame_bytes_max));
  }
  return {};
}

class Memif final : public EthdevPort, private ControlObserver {
 public:
  Memif(MemifControl& control, const MemifOptions& options)
      : EthdevPort(fmt::format("memif:{}#{}", options.socket_path, options.id), options.frame_bytes_max),
        control_(control),
        options_(options) {}
  ~Memif() override;

  base::TextResult<void> open();

  std::size_t rx_burst(std::span<Frame> out) override;
  bool link_up() const override { return eal_usable() && up_.load(std::memory_order_acquire); }

 private:
  enum class Link : std::uint8_t {
    kConnecting,  // never up so far: frames wait for it
    kUp,
    kLost,  // the peer is gone: frames are dropped, as on a cable without an end
  };

  void control_ran() override;
  base::TextResult<void> claim_path();
  void leave_path();
  void start();
  void look_at_link();
  void send_waiting() override;
  bool drops() const override { return link_ != Link::kUp; }

  MemifControl& control_;
  BurstGate gate_;
  const MemifOptions options_;
  rte_intr_handle* unfreed_handle_ = nullptr;  // the driver's, which forgets it
  bool claimed_ = false;                       // we are in path_uses()
  bool started_ = false;                       // the device may be asked for bursts; changed under the lock
  std::atomic<bool> up_{false};                // what the driver says, as of the last news
  Link link_ = Link::kConnecting;
  unsigned idle_bursts_ = 0;
  std::uint64_t connection_ = 0;      // a client's, as a registration of control_; changed under the lock
  std::atomic<bool> refused_{false};  // that connection has ended
  std::int64_t next_attempt_ns_ = 0;
};

base::TextResult<void> Memif::open() {
  const unsigned number = next_number();
  const std::size_t buffer_bytes = (options_.frame_bytes_max + kLine - 1) / kLine * kLine;
  const std::scoped_lock lock(control_.lock());
  if (auto made = make_pool(fmt::format("memif{}", number), buffer_bytes); !made) return made;
  if (auto claimed = claim_path(); !claimed) return claimed;
  auto made = make_device(
      fmt::format("net_memif{}", number),
      fmt::format("role={},id={},bsize={},rsize={},socket={},socket-abstract=no", options_.server ? "server" : "client",
                  options_.id, buffer_bytes, std::countr_zero(options_.ring_slots), options_.socket_path),
      options_.ring_slots);
  if (!made) return made;
  PathUse& use = path_uses()[options_.socket_path];
  if (options_.server && use.listener < 0) use.listener = control_.last_registered();
  unfreed_handle_ = control_.last_handle();
  control_.add_observer(this);
  control_.lock().add(gate_);
  const LogCapture log;
  start();
  if (options_.server && !started_)
    return base::fail_text(log.explain(fmt::format("{}: DPDK cannot start it", name())));
  return {};
}

Memif::~Memif() {
  if (!eal_usable()) return;
  const std::scoped_lock lock(control_.lock());
  control_.remove_observer(this);
  control_.lock().remove(gate_);
  destroy_device();
  if (unfreed_handle_ != nullptr) rte_intr_instance_free(unfreed_handle_);
  if (claimed_) leave_path();
}

base::TextResult<void> Memif::claim_path() {
  PathUse& use = path_uses()[options_.socket_path];
  if (!(options_.server ? use.client_ids : use.server_ids).empty()) {
    return base::fail_text(fmt::format("{}: this process has the other end of that path", name()));
  }
  if (options_.server && use.server_ids.empty()) {
    if (auto cleared = clear_stale_socket(options_.socket_path); !cleared) return cleared;
  }
  if (!(options_.server ? use.server_ids : use.client_ids).insert(options_.id).second) {
    return base::fail_text(fmt::format("{}: this process has that port already", name()));
  }
  claimed_ = true;
  return {};
}

void Memif::leave_path() {
  const auto entry = path_uses().find(options_.socket_path);
  PathUse& use = entry->second;
  (options_.server ? use.server_ids : use.client_ids).erase(options_.id);
  if (!use.server_ids.empty() || !use.client_ids.empty()) return;
  if (use.listener >= 0) control_.forget(use.listener);
  path_uses().erase(entry);
}

/// With the lock held. A client that finds no server tries again from look_at_link().
void Memif::start() {
  started_ = rte_eth_dev_start(device()) == 0;
  connection_ = control_.last_registration();
  next_attempt_ns_ = now_ns() + (started_ ? kHandshakeNs : kReconnectPauseNs);
  control_ran();
}

/// With the lock held.
void Memif::control_ran() {
  up_.store(started_ && device_says_up(), std::memory_order_release);
  refused_.store(started_ && !options_.server && !control_.stands(connection_), std::memory_order_release);
}

/// Notices that the link came or went, and lets a client try again. Outside of the gate.
void Memif::look_at_link() {
  idle_bursts_ = 0;
  if (link_up()) {
    link_ = Link::kUp;
    return;
  }
  if (link_ == Link::kUp) {
    link_ = Link::kLost;
    next_attempt_ns_ = 0;
  }
  if (link_ == Link::kLost) drop_waiting();
  if (options_.server) return;
  const std::int64_t now = now_ns();
  if (refused_.exchange(false)) next_attempt_ns_ = std::min(next_attempt_ns_, now + kReconnectPauseNs);
  if (now < next_attempt_ns_) return;
  const std::scoped_lock lock(control_.lock());
  if (link_up()) return;  // just now
  const LogCapture quiet;
  if (started_) rte_eth_dev_stop(device());
  start();
}

void Memif::send_waiting() {
  if (!eal_usable()) return;
  if (link_ != Link::kUp) look_at_link();
  if (!started_ || !tx_waiting() || !control_.lock().try_enter(gate_)) return;  // the next call will do
  const std::size_t sent = send_burst();
  control_.lock().leave(gate_);
  if (sent == 0) look_at_link();  // full, or nobody there any more
}

std::size_t Memif::rx_burst(std::span<Frame> out) {
  if (!eal_usable()) return 0;
  std::size_t count = 0;
  if (started_ && control_.lock().try_enter(gate_)) {
    if (tx_waiting()) send_burst();  // the owner may have nothing new to flush
    count = receive_burst(out);
    control_.lock().leave(gate_);
  }
  if (count != 0) {
    idle_bursts_ = 0;
  } else if (++idle_bursts_ >= kIdleBurstsPerLook || !started_) {
    look_at_link();
  }
  return count;
}

}  // namespace

base::TextResult<std::unique_ptr<Port>> MemifPort::create(const MemifOptions& options) {
  if (auto checked = check(options); !checked) return base::fail_text(std::move(checked.error()));
  if (auto started = start_eal(); !started) return base::fail_text(std::move(started.error()));
  auto control = MemifControl::instance();
  if (!control) return base::fail_text(std::move(control.error()));
  auto port = std::make_unique<Memif>(**control, options);
  if (auto opened = port->open(); !opened) return base::fail_text(std::move(opened.error()));
  return port;
}

}  // namespace rocelab::net::dpdk
