// MemifPort between two processes: this one and link_peer (path in ROCELAB_LINK_PEER), which is started, stopped and
// killed at will. Nothing here depends on how long anything takes: every loop waits for an event, and the suite's limit
// catches what never comes. DPDK itself is not instrumented by the sanitizers; the locks and memory around it are.
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "net/dpdk/eal.h"
#include "net/dpdk/memif_port.h"
#include "tests/net/frames.h"
#include "tests/net/peer_process.h"
#include "tests/support/catch.h"

namespace rocelab::net {

namespace {

using dpdk::MemifPort;

std::string peer_program() {
  const char* const path = std::getenv("ROCELAB_LINK_PEER");
  INFO("ROCELAB_LINK_PEER names the program at the other end");
  REQUIRE(path != nullptr);
  return path;
}

const char* role(bool server) { return server ? "server" : "client"; }

std::unique_ptr<Port> make_port(const std::string& path, bool server, std::uint32_t ring_slots = 1024) {
  auto port = MemifPort::create({.socket_path = path, .server = server, .ring_slots = ring_slots});
  INFO((port ? "" : port.error()));
  REQUIRE(port.has_value());
  return std::move(*port);
}

/// Turns the port until the link is as wanted.
void wait_for_link(Port& port, bool up) {
  std::array<Frame, kBurstMax> frames;
  while (port.link_up() != up) {
    port.rx_burst(frames);
    port.rx_release();
    port.tx_flush();
    sched_yield();
  }
}

/// Sends `count` frames through an echoing peer and takes the echoes back.
void check_echo(Port& port, std::uint64_t count) {
  std::array<Frame, kBurstMax> frames;
  std::uint64_t sent = 0, came = 0;
  while (came < count) {
    while (sent < count && sent - came < 100 && send_frame(port, 1 + sent * 811 % 4096, sent)) ++sent;
    port.tx_flush();
    const std::size_t burst = port.rx_burst(frames);
    for (std::size_t i = 0; i < burst; ++i, ++came) REQUIRE(frame_is(frames[i], 1 + came * 811 % 4096, came));
    port.rx_release();
    if (burst == 0) sched_yield();
  }
}

}  // namespace

TEST_CASE("memif: two processes exchange frames of all lengths, whichever is started first", "[net][memif]") {
  const TemporaryDirectory directory;
  const bool server = GENERATE(true, false);
  const bool first = GENERATE(true, false);
  const std::string path = directory.path() + "/link";
  std::unique_ptr<Port> port;
  if (first) port = make_port(path, server);
  PeerProcess peer({peer_program(), path, role(!server), "echo"});
  if (!first) port = make_port(path, server);
  wait_for_link(*port, true);
  REQUIRE(peer.wait_for("up"));
  check_echo(*port, 3000);
  CHECK(port->counters().tx_frames == 3000);
  CHECK(port->counters().rx_frames == 3000);
  CHECK(port->counters().tx_dropped + port->counters().rx_dropped == 0);
}

TEST_CASE("memif: the longest frame is one frame, a longer one is refused", "[net][memif]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/link";
  const auto port = make_port(path, true);
  const PeerProcess peer({peer_program(), path, "client", "echo"});
  CHECK(port->frame_bytes_max() == kFrameBytesMax);
  CHECK(port->tx_reserve(kFrameBytesMax + 1) == nullptr);
  wait_for_link(*port, true);
  REQUIRE(send_frame(*port, kFrameBytesMax, 5));
  std::array<Frame, kBurstMax> frames;
  while (port->rx_burst(frames) == 0) port->tx_flush();
  CHECK(frame_is(frames[0], kFrameBytesMax, 5));
  port->rx_release();
}

TEST_CASE("memif: frames sent before the link is up wait for it, as many as fit; more are dropped and counted",
          "[net][memif]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/link";
  const auto port = make_port(path, true);
  constexpr std::uint64_t kSent = 500;
  for (std::uint64_t i = 0; i < kSent; ++i) REQUIRE(send_frame(*port, 100, i));
  CHECK(port->tx_flush() == 0);
  CHECK(port->tx_waiting());
  const std::uint64_t kept = kSent - port->counters().tx_dropped;
  CHECK(kept >= kBurstMax);
  const PeerProcess peer({peer_program(), path, "client", "echo"});
  std::array<Frame, kBurstMax> frames;
  for (std::uint64_t came = 0; came < kept;) {
    const std::size_t burst = port->rx_burst(frames);
    for (std::size_t i = 0; i < burst; ++i, ++came) REQUIRE(frame_is(frames[i], 100, came));
    port->rx_release();
    if (burst == 0) sched_yield();
  }
  CHECK_FALSE(port->tx_waiting());
}

TEST_CASE("memif: a peer that stands still fills ring and backlog, then there is no room; nothing is lost",
          "[net][memif]") {
  const TemporaryDirectory directory;
  const bool server = GENERATE(true, false);
  const std::string path = directory.path() + "/link";
  const auto port = make_port(path, server, 64);
  PeerProcess peer({peer_program(), path, role(!server), "echo"});
  wait_for_link(*port, true);
  REQUIRE(peer.wait_for("up"));
  check_echo(*port, 10);  // the peer has filled its ring's free list
  peer.send_signal(SIGSTOP);
  siginfo_t stopped{};
  REQUIRE(waitid(P_PID, static_cast<id_t>(peer.pid()), &stopped, WSTOPPED | WNOWAIT) == 0);

  std::uint64_t sent = 0;
  while (send_frame(*port, 200, sent)) ++sent;
  CHECK(sent >= 64);
  CHECK(port->tx_waiting());
  CHECK(port->counters().tx_dropped == 0);
  CHECK(port->tx_reserve(200) == nullptr);

  peer.send_signal(SIGCONT);
  std::array<Frame, kBurstMax> frames;
  for (std::uint64_t came = 0; came < sent;) {
    const std::size_t burst = port->rx_burst(frames);
    for (std::size_t i = 0; i < burst; ++i, ++came) REQUIRE(frame_is(frames[i], 200, came));
    port->rx_release();
    if (burst == 0) sched_yield();
  }
}

TEST_CASE("memif: a peer killed in the middle of bursts takes nothing along, and a successor takes its place",
          "[net][memif]") {
  const TemporaryDirectory directory;
  const bool server = GENERATE(true, false);
  const std::string path = directory.path() + "/link";
  const auto port = make_port(path, server);
  std::array<Frame, kBurstMax> frames;
  for (int generation = 0; generation < 12; ++generation) {
    PeerProcess peer({peer_program(), path, role(!server), "flood", "0", "1500"});
    wait_for_link(*port, true);
    REQUIRE(peer.wait_for("up"));
    const std::uint64_t before = port->counters().rx_frames;
    std::uint64_t turns = 0;
    while (port->link_up()) {
      if (port->counters().rx_frames - before > 2000U + 37U * static_cast<unsigned>(generation)) {
        peer.send_signal(SIGKILL);
      }
      for (std::uint64_t i = 0; i < kBurstMax && send_frame(*port, 1500, turns + i); ++i) {
      }
      port->tx_flush();
      port->rx_burst(frames);
      port->rx_release();
      ++turns;
    }
    CHECK(peer.wait() == -SIGKILL);
    // A dead peer's frames are dropped; they do not make the sender wait.
    const std::uint64_t dropped = port->counters().tx_dropped;
    for (int i = 0; i < 300; ++i) REQUIRE(send_frame(*port, 100, 1));
    port->tx_flush();
    CHECK(port->counters().tx_dropped > dropped);
  }
  const PeerProcess last({peer_program(), path, role(!server), "echo"});
  wait_for_link(*port, true);
  while (port->rx_burst(frames) != 0) port->rx_release();  // nothing of the dead is left in the new rings
  check_echo(*port, 500);
}

TEST_CASE("memif: a port goes and comes back while the peer stays", "[net][memif]") {
  const TemporaryDirectory directory;
  const bool server = GENERATE(true, false);
  const std::string path = directory.path() + "/link";
  const PeerProcess peer({peer_program(), path, role(!server), "echo"});
  for (int round = 0; round < 10; ++round) {
    const auto port = make_port(path, server);
    wait_for_link(*port, true);
    check_echo(*port, 100);
  }
}

TEST_CASE("memif: the socket of a server that was killed is replaced, a living one's is not", "[net][memif]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/link";
  PeerProcess dead({peer_program(), path, "server", "idle"});
  REQUIRE(dead.wait_for("made"));
  const auto taken = MemifPort::create({.socket_path = path, .server = true});
  REQUIRE_FALSE(taken.has_value());
  CHECK(taken.error() == "memif: another process serves " + path);
  dead.send_signal(SIGKILL);
  dead.wait();
  REQUIRE(std::filesystem::exists(path));
  const auto port = make_port(path, true);
  const PeerProcess peer({peer_program(), path, "client", "echo"});
  wait_for_link(*port, true);
  check_echo(*port, 100);
}

TEST_CASE("memif: a client waits for its server without burning anything but its own turns", "[net][memif]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/link";
  const auto port = make_port(path, false);
  std::array<Frame, kBurstMax> frames;
  for (int i = 0; i < 1000; ++i) {
    CHECK(port->rx_burst(frames) == 0);
    port->rx_release();
  }
  CHECK_FALSE(port->link_up());
  const PeerProcess peer({peer_program(), path, "server", "echo"});
  wait_for_link(*port, true);
  check_echo(*port, 100);
}

TEST_CASE("memif: what cannot be is refused with a sentence", "[net][memif]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/link";
  const auto message = [](const dpdk::MemifOptions& options) {
    const auto port = MemifPort::create(options);
    return port ? std::string("made") : port.error();
  };
  CHECK(message({.socket_path = "relative"}).find("expected an absolute path") != std::string::npos);
  CHECK(message({.socket_path = path + std::string(200, 'x')}).find("at most 107 bytes") != std::string::npos);
  CHECK(message({.socket_path = path + ",role=server"}).find("DPDK takes for its own") != std::string::npos);
  CHECK(message({.socket_path = path, .ring_slots = 1000}).find("ring slots 1000: expected a power of two") !=
        std::string::npos);
  CHECK(message({.socket_path = path, .frame_bytes_max = 63}).find("frame bytes 63: expected 64") != std::string::npos);
  CHECK(message({.socket_path = directory.path() + "/missing/link", .server = true}).find("Invalid socket directory") !=
        std::string::npos);
  std::ofstream(path) << "not a socket";
  CHECK(message({.socket_path = path, .server = true}) == "memif: " + path + " exists and is not a socket");
  CHECK(std::filesystem::is_regular_file(path));
}

TEST_CASE("memif: one process cannot have a port twice, nor both ends of a path", "[net][memif]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/link";
  const auto port = make_port(path, true);
  const auto twice = MemifPort::create({.socket_path = path, .server = true});
  REQUIRE_FALSE(twice.has_value());
  CHECK(twice.error().find("this process has that port already") != std::string::npos);
  const auto other = MemifPort::create({.socket_path = path, .server = false, .id = 3});
  REQUIRE_FALSE(other.has_value());
  CHECK(other.error().find("the other end") != std::string::npos);
  CHECK(MemifPort::create({.socket_path = path, .server = true, .id = 1}).has_value());
}

TEST_CASE("memif: as many ports as DPDK has, one more is refused, and all can be made again", "[net][memif]") {
  const TemporaryDirectory directory;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::unique_ptr<Port>> ports;
    for (unsigned i = 0; i < dpdk::kPortsMax; ++i) {
      ports.push_back(make_port(directory.path() + "/link" + std::to_string(i), i % 2 == 0, 64));
    }
    const auto more = MemifPort::create({.socket_path = directory.path() + "/more", .server = true});
    REQUIRE_FALSE(more.has_value());
    CHECK(more.error().find("has 32 DPDK ports already, the most there can be") != std::string::npos);
  }
}

}  // namespace rocelab::net
