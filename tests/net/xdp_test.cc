// The AF_XDP port on a veth pair of the test's own, made in a network namespace of its own, and its program on single
// frames in the kernel. Needs root and a kernel that allows XDP: else it says what is missing.
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "base/rng.h"
#include "net/frame_codec.h"
#include "net/xdp/bpf.h"
#include "net/xdp/steering_program.h"
#include "net/xdp/xdp_port.h"
#include "net/xdp/xsk.h"
#include "tests/support/catch.h"
#include "tests/support/random_packet.h"
#include "wire/ethernet.h"

namespace rocelab::net::xdp {

namespace {

constexpr std::uint8_t kProcess = 7;

bool run(std::initializer_list<const char*> words) {
  const pid_t child = fork();
  if (child == 0) {
    std::vector<char*> arguments;
    for (const char* word : words) arguments.push_back(const_cast<char*>(word));
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status == 0;
}

/// What is there to test with; made once. Empty: everything.
std::string missing() {
  static const std::string reason = []() -> std::string {
    if (geteuid() != 0) return "AF_XDP needs root";
    if (unshare(CLONE_NEWNET) != 0) return "no network namespace";
    if (!run({"ip", "link", "add", "xdp0", "type", "veth", "peer", "name", "xdp1"}) ||
        !run({"ip", "link", "set", "xdp0", "up"}) || !run({"ip", "link", "set", "xdp1", "up"})) {
      return "no veth pairs";
    }
    const auto map = make_socket_map(1);
    return map ? "" : map.error();
  }();
  return reason;
}

/// Stands beside the XDP port and must get nothing to do.
class Beside final : public Port {
 public:
  std::string_view name() const override { return "beside"; }
  std::size_t frame_bytes_max() const override { return 1518; }
  std::byte* tx_reserve(std::size_t) override { return nullptr; }
  void tx_commit(std::size_t) override {}
  std::size_t tx_flush() override { return 0; }
  std::size_t rx_burst(std::span<Frame>) override { return 0; }
  void rx_release() override {}
  int wait_fd() const override { return fds_[0]; }
  const PortCounters& counters() const override { return counters_; }
  Beside() { REQUIRE(pipe(fds_) == 0); }
  ~Beside() override { close(fds_[0]), close(fds_[1]); }

 private:
  int fds_[2] = {};
  PortCounters counters_;
};

std::unique_ptr<Port> make_port(const char* interface) {
  std::unique_ptr<Port> beside = std::make_unique<Beside>();
  auto made = XdpPort::create({interface, kProcess}, beside);
  INFO((made ? "" : made.error()));
  REQUIRE(made.has_value());
  REQUIRE(beside == nullptr);
  return std::move(*made);
}

/// A packet socket at the other end.
class Wire {
 public:
  explicit Wire(const char* interface) : fd_(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(0x0003))) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(0x0003);  // everything
    address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
    REQUIRE(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  ~Wire() { close(fd_); }
  void put(const std::vector<std::byte>& frame) {
    REQUIRE(send(fd_, frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size()));
  }
  /// The next frame that is RoCE; empty: none came.
  std::vector<std::byte> take() {
    for (;;) {
      pollfd fd{fd_, POLLIN, 0};
      if (poll(&fd, 1, 2000) == 0) return {};
      std::vector<std::byte> frame(4096);
      const auto bytes = recv(fd_, frame.data(), frame.size(), 0);
      frame.resize(static_cast<std::size_t>(bytes));
      wire::Packet packet;
      if (decode_frame(frame, packet)) return frame;
    }
  }

 private:
  int fd_;
};

/// Any packet for a process, of at most an MTU.
std::vector<std::byte> frame_for(base::Rng& rng, std::uint32_t process, bool vlan) {
  const auto opcodes = test::all_opcodes();
  const auto encapsulation = test::kEncapsulations[rng.next() % 3];
  auto owned = test::random_packet(rng, encapsulation, vlan, opcodes[rng.next() % opcodes.size()], rng.next() % 1000);
  owned.packet.path.destination_mac[0] &= 0xfe;
  owned.packet.bth.destination_qpn = process << 16 | static_cast<std::uint32_t>(rng.next() & 0xffff);
  return test::encoded(owned.packet);
}

/// What the program says to a frame.
std::uint32_t verdict(int program, const std::vector<std::byte>& frame) {
  std::vector<std::byte> out(frame.size() + 256);
  bpf_attr attributes{};
  attributes.test.prog_fd = static_cast<std::uint32_t>(program);
  attributes.test.data_in = reinterpret_cast<std::uintptr_t>(frame.data());
  attributes.test.data_size_in = static_cast<std::uint32_t>(frame.size());
  attributes.test.data_out = reinterpret_cast<std::uintptr_t>(out.data());
  attributes.test.data_size_out = static_cast<std::uint32_t>(out.size());
  attributes.test.repeat = 1;
  REQUIRE(syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attributes, sizeof attributes) == 0);
  return attributes.test.retval;
}

}  // namespace

TEST_CASE("af_xdp: the program picks this process's packets of every kind, and nothing else", "[net][xdp]") {
  if (!missing().empty()) return;
  const auto map = make_socket_map(kQueuesMax);
  REQUIRE(map);
  const auto program = load_xdp_program(steering_program(map->fd(), kProcess));
  INFO((program ? "" : program.error()));
  REQUIRE(program);
  Xsk socket;
  REQUIRE(socket.open(if_nametoindex("xdp0"), 0));
  REQUIRE(put_socket(map->fd(), 0, socket.fd()));
  base::Rng rng(1, "xdp");
  for (int round = 0; round < 600; ++round) {
    const bool vlan = round % 3 == 0;
    CHECK(verdict(program->fd(), frame_for(rng, kProcess, vlan)) == XDP_REDIRECT);
    const auto other = static_cast<std::uint32_t>(rng.next() % 256);
    CHECK(verdict(program->fd(), frame_for(rng, other, vlan)) == (other == kProcess ? XDP_REDIRECT : XDP_PASS));
    auto damaged = frame_for(rng, kProcess, vlan);
    damaged[0] |= std::byte{1};  // to a group
    CHECK(verdict(program->fd(), damaged) == XDP_PASS);
    damaged = frame_for(rng, kProcess, vlan);
    damaged[vlan ? 16 : 12] ^= std::byte{0x40};  // another Ethertype
    CHECK(verdict(program->fd(), damaged) == XDP_PASS);
    std::vector<std::byte> noise(14 + rng.next() % 200);
    for (std::byte& b : noise) b = static_cast<std::byte>(rng.next());
    CHECK(verdict(program->fd(), noise) == XDP_PASS);
    auto cut = frame_for(rng, kProcess, vlan);
    cut.resize(14 + rng.next() % 20);
    CHECK(verdict(program->fd(), cut) == XDP_PASS);
  }
}

TEST_CASE("af_xdp: frames come in and go out with their bytes", "[net][xdp]") {
  if (!missing().empty()) return;
  const auto port = make_port("xdp0");
  Wire wire("xdp1");
  base::Rng rng(2, "xdp");
  for (int round = 0; round < 3000; ++round) {  // more than the rings hold
    const auto sent = frame_for(rng, kProcess, false);
    wire.put(sent);
    std::array<Frame, kBurstMax> frames;
    std::size_t count = port->rx_burst(frames);
    for (int wait = 0; count == 0 && wait < 3; ++wait) {
      port->rx_release();
      pollfd fd{port->wait_fd(), POLLIN, 0};
      poll(&fd, 1, 2000);
      count = port->rx_burst(frames);
    }
    REQUIRE(count == 1);
    const std::vector<std::byte> got(frames[0].begin(), frames[0].end());
    REQUIRE(std::equal(sent.begin(), sent.end(), got.begin()));
    port->rx_release();
    std::byte* const room = port->tx_reserve(sent.size());
    REQUIRE(room != nullptr);
    std::memcpy(room, sent.data(), sent.size());
    port->tx_commit(sent.size());
    CHECK(port->tx_flush() == 1);
    if (round % 50 != 0) continue;
    std::vector<std::byte> out;
    do {  // until it is the newest
      out = wire.take();
      REQUIRE_FALSE(out.empty());
    } while (out != sent);
  }
  CHECK(port->counters().rx_frames == 3000);
  CHECK(port->counters().tx_frames == 3000);
}

TEST_CASE("af_xdp: what is not to be had is told", "[net][xdp]") {
  if (!missing().empty()) return;
  const auto port = make_port("xdp0");
  std::unique_ptr<Port> beside = std::make_unique<Beside>();
  const auto second = XdpPort::create({"xdp0", 8}, beside);
  REQUIRE_FALSE(second);
  CHECK(second.error().find("another XDP program is attached") != std::string::npos);
  CHECK(beside != nullptr);
  const auto nowhere = XdpPort::create({"xdp9", 8}, beside);
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().find("interface xdp9: AF_XDP: No such device") != std::string::npos);
}

TEST_CASE("af_xdp: what this test has run with", "[net][xdp]") {
  if (missing().empty()) return;
  std::printf("SKIP: %s\n", missing().c_str());
  std::fflush(stdout);
  _exit(77);
}

}  // namespace rocelab::net::xdp
