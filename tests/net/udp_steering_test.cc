// Steering between a host's processes: the filter as a program, and in the kernel with ports that stand for processes.
// abandon() is what SIGKILL looks like from outside: sockets and locks are gone and nobody has said a word.
#include <sys/stat.h>

#include <map>

#include "base/rng.h"
#include "net/udp/steering.h"
#include "tests/net/udp_lab.h"
#include "tests/support/scratch_folder.h"
#include "wire/bytes.h"

namespace rocelab::net::udp {

namespace {

/// The classic BPF that the filter uses; loads beyond the packet end the program with 0, as in the kernel.
std::uint32_t run(const std::vector<sock_filter>& program, std::span<const std::byte> packet) {
  std::uint32_t a = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const sock_filter& op = program[at];
    switch (op.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (op.k + 4 > packet.size()) return 0;
        a = wire::load_be<std::uint32_t>(packet.data() + op.k);
        break;
      case BPF_LD | BPF_H | BPF_ABS:
        if (op.k + 2 > packet.size()) return 0;
        a = wire::load_be<std::uint16_t>(packet.data() + op.k);
        break;
      case BPF_LD | BPF_B | BPF_ABS:
        if (op.k + 1 > packet.size()) return 0;
        a = std::to_integer<std::uint32_t>(packet[op.k]);
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        at += a == op.k ? op.jt : op.jf;
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        at += a >= op.k ? op.jt : op.jf;
        break;
      case BPF_JMP | BPF_JA:
        at += op.k;
        break;
      case BPF_RET | BPF_K:
        return op.k;
      case BPF_RET | BPF_A:
        return a;
      default:
        FAIL("an instruction that the filter does not use");
    }
  }
  FAIL("the program does not end");
  return 0;
}

struct Host {
  explicit Host(std::uint8_t last) : gid(loopback_gid(last)) {}
  void start(std::uint32_t process) {
    UdpOptions options = options_of(gid);
    options.shared_directory = folder.path();
    options.process = process;
    ports[process] = make_port(options);
    settle();
  }
  /// Everybody looks at what has come, until nothing comes any more: probes are answered.
  void settle() {
    for (bool again = true; again;) {
      again = false;
      for (auto& [process, port] : ports) {
        pollfd fd{port->wait_fd(), POLLIN, 0};
        if (poll(&fd, 1, 0) == 0) continue;
        receive(*port, false);
        again = true;
      }
    }
  }
  test::ScratchFolder folder;
  wire::Gid gid;
  std::map<std::uint32_t, std::unique_ptr<Port>> ports;
};

/// Sends `count` packets to each process; returns how many came to another one. All must come to somebody.
std::size_t strays(Port& from, const wire::Gid& source, Host& host, std::uint32_t count) {
  std::size_t sent = 0, seen = 0, wrong = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    for (const auto& entry : host.ports) {
      const std::uint32_t qpn = entry.first << 16 | 7;
      REQUIRE(send(from, TestPacket(source, host.gid, qpn, i).packet));
      ++sent;
    }
    from.tx_flush();
    for (int round = 0; round < 100 && seen < sent; ++round) {
      for (auto& [process, port] : host.ports) {
        for (const Received& received : receive(*port, false)) {
          ++seen;
          wrong += received.packet.bth.destination_qpn >> 16 == process ? 0 : 1;
        }
      }
    }
  }
  CHECK(seen == sent);
  host.settle();
  return wrong;
}

}  // namespace

TEST_CASE("steering: the filter finds every process, and probes the place they name", "[net][udp]") {
  base::Rng rng(1, "steering");
  for (const std::size_t processes : {0u, 1u, 2u, 3u, 17u, 128u, 255u}) {
    Places places;
    for (std::size_t i = 0; i < processes; ++i) {
      const std::size_t process = processes == 255 ? i + 1 : 1 + rng.next() % 255;
      places[process] = static_cast<std::uint16_t>(rng.next() % 300);
    }
    const auto program = steering_program(places);
    REQUIRE(program.size() <= BPF_MAXINSNS);
    std::array<std::byte, 64> packet{};
    for (std::size_t process = 0; process < kProcessesMax; ++process) {
      packet[5] = static_cast<std::byte>(process);
      REQUIRE(run(program, packet) == places[process].value_or(0));
    }
    for (const unsigned wanted : {0u, 1u, 77u, 65'535u}) {
      const auto place = static_cast<std::uint16_t>(wanted);
      std::array<std::byte, Probe::kSize> bytes;
      const Probe probe{place, 0x01020304, 0x0506070809aabbcc};
      probe.emit(bytes);
      REQUIRE(run(program, bytes) == place);
      const auto parsed = Probe::parse(bytes);
      REQUIRE(parsed);
      CHECK(parsed->place == place);
      CHECK(parsed->round == probe.round);
      CHECK(parsed->cookie == probe.cookie);
    }
    CHECK(run(program, std::span(packet).first(3)) == 0);
  }
}

TEST_CASE("steering: each process of a host gets its packets, as they come and go", "[net][udp]") {
  const wire::Gid source = loopback_gid(1);
  const auto from = make_port(options_of(source));
  Host host(2);
  for (const std::uint32_t process : {3u, 200u, 17u, 4u, 90u}) {
    host.start(process);
    CHECK(strays(*from, source, host, 4) == 0);
  }
  // The first one leaves: the last takes its place in the kernel's list.
  host.ports.erase(3);
  host.settle();
  CHECK(strays(*from, source, host, 4) == 0);
  host.start(5);
  CHECK(strays(*from, source, host, 4) == 0);
}

TEST_CASE("steering: after a process was killed packets go astray for a moment only", "[net][udp]") {
  const wire::Gid source = loopback_gid(1);
  const auto from = make_port(options_of(source));
  Host host(2);
  for (const std::uint32_t process : {1u, 2u, 3u, 4u}) host.start(process);
  host.ports[1]->abandon();
  host.ports.erase(1);
  host.ports[3]->abandon();
  host.ports.erase(3);
  // Process 4 has moved to a place that the filter gives to nobody, or to another.
  static_cast<void>(strays(*from, source, host, 1));
  static_cast<void>(strays(*from, source, host, 1));
  CHECK(strays(*from, source, host, 8) == 0);
  host.start(1);
  CHECK(strays(*from, source, host, 8) == 0);
}

TEST_CASE("steering: two hosts cannot have one address", "[net][udp]") {
  Host host(2), other(2);
  host.start(1);
  UdpOptions options = options_of(other.gid);
  options.shared_directory = other.folder.path();
  options.process = 1;
  const auto refused = UdpPort::create(options);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().find("another run directory") != std::string::npos);
}

TEST_CASE("steering: what lies in the shared file is believed within bounds", "[net][udp]") {
  Host host(2);
  host.start(1);
  host.start(2);
  const std::string name = [&] {
    std::string text = host.folder.file("udp-");
    for (const std::uint8_t byte : host.gid.bytes) {
      text += "0123456789abcdef"[byte >> 4];
      text += "0123456789abcdef"[byte & 15];
    }
    return text;
  }();
  struct stat status {};
  REQUIRE(stat(name.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  FILE* const file = fopen(name.c_str(), "r+b");
  REQUIRE(file != nullptr);
  base::Rng rng(3, "scribble");
  for (long at = 8; at < status.st_size; ++at) {
    fseek(file, at, SEEK_SET);
    fputc(static_cast<int>(rng.next() & 0xff), file);
  }
  fclose(file);
  const wire::Gid source = loopback_gid(1);
  const auto from = make_port(options_of(source));
  static_cast<void>(strays(*from, source, host, 8));  // all arrive somewhere
  host.start(3);
}

}  // namespace rocelab::net::udp
