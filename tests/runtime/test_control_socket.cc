// The doorbell between processes (runtime/control_socket.h), with senders that mean no good.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "runtime/control_socket.h"
#include "tests/runtime/temporary_directory.h"
#include "tests/support/catch.h"

using namespace rocelab::runtime;
using rocelab::tests::TemporaryDirectory;

namespace {

struct Lab {
  TemporaryDirectory where;
  RunDirectory directory = *RunDirectory::open(where.path());
  ControlSocket open(std::uint32_t slot, std::uint32_t generation) {
    auto socket = ControlSocket::open(directory, slot, generation);
    REQUIRE(socket.has_value());
    return std::move(*socket);
  }
  /// Sends raw bytes to a slot's socket.
  void inject(std::uint32_t slot, const void* bytes, std::size_t length) {
    const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = where.file("control-" + std::to_string(slot));
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    CHECK(sendto(fd, bytes, length, 0, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) ==
          static_cast<ssize_t>(length));
    close(fd);
  }
};

constexpr std::uint32_t kMagic = 0x726c'6331;

}  // namespace

TEST_CASE("control socket: a message arrives with its sender's slot and generation", "[runtime][control]") {
  Lab lab;
  ControlSocket a = lab.open(1, 10), b = lab.open(2, 20);
  CHECK_FALSE(b.receive().has_value());
  CHECK(a.send(ControlKind::kConnect, 2, 20));
  const auto message = b.receive();
  REQUIRE(message.has_value());
  CHECK(message->kind == ControlKind::kConnect);
  CHECK(message->from_slot == 1);
  CHECK(message->from_generation == 10);
  CHECK_FALSE(b.receive().has_value());
}

TEST_CASE("control socket: a successor ignores what was for the process before it", "[runtime][control]") {
  Lab lab;
  ControlSocket a = lab.open(1, 10), b = lab.open(2, 21);
  CHECK(a.send(ControlKind::kFarewell, 2, 20));
  CHECK(a.send(ControlKind::kWake, 2, 21));
  const auto message = b.receive();
  REQUIRE(message.has_value());
  CHECK(message->kind == ControlKind::kWake);
}

TEST_CASE("control socket: sending to nobody says so", "[runtime][control]") {
  Lab lab;
  ControlSocket a = lab.open(1, 10);
  CHECK_FALSE(a.send(ControlKind::kWake, 9, 1));
  { ControlSocket gone = lab.open(9, 1); }
  CHECK_FALSE(a.send(ControlKind::kWake, 9, 1));
}

TEST_CASE("control socket: a full buffer loses messages without blocking", "[runtime][control]") {
  Lab lab;
  ControlSocket a = lab.open(1, 10), b = lab.open(2, 20);
  for (int i = 0; i < 100'000; ++i) CHECK(a.send(ControlKind::kWake, 2, 20));
  int received = 0;
  while (b.receive()) ++received;
  CHECK(received > 0);
}

TEST_CASE("control socket: what a dead predecessor left is taken over", "[runtime][control]") {
  Lab lab;
  {
    const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = lab.where.file("control-3");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    close(fd);  // the name stays
  }
  ControlSocket a = lab.open(1, 10), c = lab.open(3, 30);
  CHECK(a.send(ControlKind::kWake, 3, 30));
  CHECK(c.receive().has_value());
}

TEST_CASE("control socket: malformed and misdirected datagrams are ignored", "[runtime][control]") {
  Lab lab;
  ControlSocket a = lab.open(1, 10), b = lab.open(2, 20);
  const ControlMessage good{kMagic, ControlKind::kWake, 1, 10, 20};
  char longer[200] = {};
  std::memcpy(longer, &good, sizeof(good));
  lab.inject(2, "", 0);
  lab.inject(2, "hello", 5);
  lab.inject(2, longer, sizeof(longer));
  const auto with = [&](auto change) {
    ControlMessage message = good;
    change(message);
    lab.inject(2, &message, sizeof(message));
  };
  with([](ControlMessage& m) { m.magic ^= 1; });
  with([](ControlMessage& m) { m.from_slot = 0; });
  with([](ControlMessage& m) { m.from_slot = 256; });
  with([](ControlMessage& m) { m.from_slot = ~0u; });
  with([](ControlMessage& m) { m.from_slot = 2; });  // ourselves
  with([](ControlMessage& m) { m.to_generation = 19; });
  CHECK_FALSE(b.receive().has_value());
}
