// HandshakeGuard by itself, and a server port whose socket is fed with nonsense.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "net/dpdk/memif_handshake.h"
#include "net/dpdk/memif_port.h"
#include "tests/net/frames.h"
#include "tests/net/peer_process.h"
#include "tests/support/catch.h"

namespace rocelab::net {

namespace {

using dpdk::HandshakeGuard;
using Message = std::array<std::byte, HandshakeGuard::kMessageBytes>;

constexpr std::uint16_t kAck = 1, kHello = 2, kInit = 3, kAddRegion = 4, kAddRing = 5, kConnect = 6, kConnected = 7,
                        kDisconnect = 8;

template <class T>
void put(Message& message, std::size_t offset, T value) {
  std::memcpy(message.data() + offset, &value, sizeof value);
}

Message plain(std::uint16_t type) {
  Message message{};
  put(message, 0, type);
  return message;
}

/// A good INIT for id 0: version 2.0, Ethernet.
Message init() {
  Message message = plain(kInit);
  put<std::uint16_t>(message, 2, 2 << 8);
  return message;
}

Message add_region(std::uint16_t index, std::uint64_t bytes) {
  Message message = plain(kAddRegion);
  put(message, 2, index);
  put(message, 4, bytes);
  return message;
}

Message add_ring(std::uint16_t flags, std::uint16_t index, std::uint16_t region, std::uint32_t offset,
                 std::uint8_t log2_slots) {
  Message message = plain(kAddRing);
  put(message, 2, flags);
  put(message, 4, index);
  put(message, 6, region);
  put(message, 8, offset);
  put(message, 12, log2_slots);
  return message;
}

constexpr std::uint32_t kRing = 128 + 16 * 64;  // bytes of a ring of 64 slots

/// Connects to a port's socket; the greeting is read.
int greet(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  REQUIRE(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  Message hello;
  REQUIRE(read(fd, hello.data(), hello.size()) == static_cast<ssize_t>(hello.size()));
  return fd;
}

/// False: the other side has closed.
bool say(int fd, const Message& message, int descriptor) {
  iovec bytes{const_cast<std::byte*>(message.data()), message.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  if (descriptor >= 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    cmsghdr* const part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(part), &descriptor, sizeof descriptor);
  }
  return sendmsg(fd, &header, MSG_NOSIGNAL) >= 0;
}

/// Reads until the other side closes.
void hear_out(int fd) {
  Message answer;
  while (read(fd, answer.data(), answer.size()) > 0) {
  }
  close(fd);
}

}  // namespace

TEST_CASE("handshake: the proper order is accepted, once", "[net][memif]") {
  HandshakeGuard server(true);
  CHECK(server.accepts(init(), 0));
  CHECK(server.accepts(add_region(0, 2 * kRing), 1));
  CHECK(server.accepts(add_ring(1, 0, 0, 0, 6), 1));
  CHECK(server.accepts(add_ring(0, 0, 0, kRing, 6), 1));
  CHECK(server.accepts(plain(kConnect), 0));
  CHECK_FALSE(server.accepts(init(), 0));
  CHECK_FALSE(server.accepts(add_region(0, 2 * kRing), 1));
  CHECK_FALSE(server.accepts(add_ring(1, 0, 0, 0, 6), 1));
  CHECK_FALSE(server.accepts(plain(kConnect), 0));
  CHECK(server.accepts(plain(kDisconnect), 0));

  HandshakeGuard client(false);
  CHECK_FALSE(client.accepts(plain(kConnected), 0));
  CHECK_FALSE(client.accepts(plain(kAck), 0));
  CHECK(client.accepts(plain(kHello), 0));
  CHECK(client.accepts(plain(kAck), 0));
  CHECK(client.accepts(plain(kConnected), 0));
  for (const std::uint16_t type : {kHello, kInit, kAddRegion, kAddRing, kConnect, kConnected}) {
    CHECK_FALSE(client.accepts(plain(type), 0));
  }
}

TEST_CASE("handshake: rings outside of the region, other regions, more rings and strange sizes are refused",
          "[net][memif]") {
  const auto refused = [](const Message& ring, std::size_t descriptors = 1) {
    HandshakeGuard guard(true);
    REQUIRE(guard.accepts(init(), 0));
    REQUIRE(guard.accepts(add_region(0, 2 * kRing), 1));
    return !guard.accepts(ring, descriptors);
  };
  CHECK_FALSE(refused(add_ring(1, 0, 0, kRing, 6)));
  CHECK(refused(add_ring(1, 0, 0, kRing + 16, 6)));
  CHECK(refused(add_ring(1, 0, 0, 0xfffffff0, 6)));
  CHECK(refused(add_ring(1, 0, 0, 8, 5)));
  CHECK(refused(add_ring(1, 0, 0, 0, 8)));
  CHECK(refused(add_ring(1, 0, 0, 0, 15)));
  CHECK(refused(add_ring(1, 0, 0, 0, 255)));
  CHECK(refused(add_ring(1, 1, 0, 0, 6)));
  CHECK(refused(add_ring(1, 0, 1, 0, 6)));
  CHECK(refused(add_ring(1, 0, 0, 0, 6), 0));
  CHECK(refused(add_ring(1, 0, 0, 0, 6), 2));
  CHECK(refused(plain(kConnect), 0));
  CHECK(refused(plain(kHello), 0));

  HandshakeGuard early(true);
  CHECK_FALSE(early.accepts(add_region(0, 2 * kRing), 1));
  CHECK(early.accepts(init(), 0));
  CHECK_FALSE(early.accepts(add_ring(1, 0, 0, 0, 6), 1));
  CHECK_FALSE(early.accepts(add_region(1, 2 * kRing), 1));
  CHECK_FALSE(early.accepts(add_region(0, 0), 1));
  CHECK_FALSE(early.accepts(add_region(0, 1ULL << 40), 1));
  CHECK_FALSE(early.accepts(add_region(0, 2 * kRing), 0));
}

TEST_CASE("handshake: nonsense on its socket neither harms a server nor keeps a proper peer out", "[net][memif]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/link";
  const auto port = dpdk::MemifPort::create({.socket_path = path, .server = true});
  REQUIRE(port.has_value());
  const int memory = memfd_create("nonsense", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  REQUIRE(ftruncate(memory, 1 << 20) == 0);
  const int sealed = memfd_create("nonsense", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  REQUIRE(ftruncate(sealed, 1 << 20) == 0);
  REQUIRE(fcntl(sealed, F_ADD_SEALS, F_SEAL_SHRINK) == 0);

  base::Rng rng(1, "nonsense");
  std::array<Frame, kBurstMax> frames;
  for (int script = 0; script < 400; ++script) {
    const int fd = greet(path);
    bool open = rng.chance(1, 8) || say(fd, init(), -1);
    for (std::uint64_t left = rng.below(8); open && left != 0; --left) {
      Message message = plain(static_cast<std::uint16_t>(rng.below(10)));
      switch (rng.below(4)) {
        case 0:
          message = add_region(0, rng.chance(1, 4) ? rng.next() : 1 << 20);
          break;
        case 1:
          message =
              add_ring(static_cast<std::uint16_t>(rng.below(2)), 0, static_cast<std::uint16_t>(rng.below(2)),
                       static_cast<std::uint32_t>(rng.below(4) * kRing), static_cast<std::uint8_t>(rng.below(16)));
          break;
        case 2:
          for (std::byte& byte : message) byte = static_cast<std::byte>(rng.below(256));
          put(message, 0, static_cast<std::uint16_t>(rng.below(10)));
          break;
        default:
          break;
      }
      const std::uint64_t with = rng.below(4);
      open = say(fd, message, with == 0 ? -1 : with == 1 ? memory : sealed);
      (*port)->rx_burst(frames);
      (*port)->rx_release();
    }
    shutdown(fd, SHUT_WR);
    hear_out(fd);
  }
  close(memory);
  close(sealed);

  const char* const program = std::getenv("ROCELAB_LINK_PEER");
  REQUIRE(program != nullptr);
  PeerProcess peer({program, path, "client", "echo"});
  REQUIRE(peer.wait_for("up"));
  while (!send_frame(**port, 1000, 7) || (*port)->tx_flush() == 0) {
  }
  while ((*port)->rx_burst(frames) == 0) {
  }
  CHECK(frame_is(frames[0], 1000, 7));
  (*port)->rx_release();
}

}  // namespace rocelab::net
