// link_peer SOCKET server|client MODE [COUNT BYTES]: the process at the other end of a memif link, for memif_port_test.
//   echo   sends back whatever arrives, for ever
//   ping   sends COUNT frames of up to BYTES and checks the echoes; exits with 0 when all came back whole and in order
//   flood  sends numbered frames of BYTES and takes what arrives, for ever
//   idle   makes the port, says so and stands still
// Prints "up" when the link is up for the first time ("made" in idle mode), so that the test can wait for it.
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "net/dpdk/memif_port.h"
#include "tests/net/frames.h"

namespace rocelab::net {
namespace {

void say(const char* word) {
  std::printf("%s\n", word);
  std::fflush(stdout);
}

/// Turns the port until the link is up.
void wait_for_link(Port& port) {
  std::array<Frame, kBurstMax> frames;
  while (!port.link_up()) {
    port.rx_burst(frames);
    port.rx_release();
    sched_yield();
  }
}

[[noreturn]] void echo(Port& port) {
  std::array<Frame, kBurstMax> frames;
  wait_for_link(port);
  say("up");
  for (;;) {
    const std::size_t count = port.rx_burst(frames);
    if (count == 0) sched_yield();
    for (std::size_t i = 0; i < count; ++i) {
      std::byte* room = nullptr;
      while ((room = port.tx_reserve(frames[i].size())) == nullptr) sched_yield();
      std::memcpy(room, frames[i].data(), frames[i].size());
      port.tx_commit(frames[i].size());
    }
    port.rx_release();
    port.tx_flush();
  }
}

int ping(Port& port, std::uint64_t count, std::size_t bytes_max) {
  const auto length = [bytes_max](std::uint64_t n) { return 1 + (n * 977) % bytes_max; };
  std::array<Frame, kBurstMax> frames;
  wait_for_link(port);
  say("up");
  std::uint64_t sent = 0, came = 0;
  while (came < count) {
    while (sent < count && sent - came < 200 && send_frame(port, length(sent), sent)) ++sent;
    port.tx_flush();
    const std::size_t burst = port.rx_burst(frames);
    if (burst == 0) sched_yield();
    for (std::size_t i = 0; i < burst; ++i, ++came) {
      if (!frame_is(frames[i], length(came), came)) {
        std::fprintf(stderr, "echo %llu is wrong\n", static_cast<unsigned long long>(came));
        return 1;
      }
    }
    port.rx_release();
  }
  return 0;
}

[[noreturn]] void flood(Port& port, std::size_t bytes) {
  std::array<Frame, kBurstMax> frames;
  wait_for_link(port);
  say("up");
  for (std::uint64_t sent = 0;;) {
    while (send_frame(port, bytes, sent)) ++sent;
    port.tx_flush();
    port.rx_burst(frames);
    port.rx_release();
  }
}

std::uint64_t number(const char* text) {
  std::uint64_t value = 0;
  std::from_chars(text, text + std::strlen(text), value);
  return value;
}

int run(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: link_peer SOCKET server|client echo|ping|flood|idle [COUNT BYTES]\n");
    return 2;
  }
  const std::string mode = argv[3];
  auto port = dpdk::MemifPort::create({.socket_path = argv[1], .server = std::string(argv[2]) == "server"});
  if (!port) {
    std::fprintf(stderr, "%s\n", port.error().c_str());
    return 2;
  }
  if (mode == "echo") echo(**port);
  if (mode == "ping" && argc == 6) return ping(**port, number(argv[4]), number(argv[5]));
  if (mode == "flood" && argc == 6) flood(**port, number(argv[5]));
  if (mode == "idle") {
    say("made");
    for (;;) pause();
  }
  return 2;
}

}  // namespace
}  // namespace rocelab::net

int main(int argc, char** argv) { return rocelab::net::run(argc, argv); }
