// Which of a host's processes gets a datagram. All of them bind the same address and port (SO_REUSEPORT); a filter in
// the kernel (classic BPF, which needs no privilege) reads the process from the high byte of the destination QPN and
// picks its socket by its place in the kernel's list. That list has no order that user space could know: sockets are
// appended, and a closing one is replaced by the last. So processes ask: a probe is a datagram to the own address that
// the filter passes to place N, whoever that is, and whoever gets it writes its place into a file that the host's
// processes share.
//
// Places may be wrong for a moment, or until somebody notices (a process was killed): a datagram then reaches another
// process of the host, which passes it on (runtime/handover.h) and starts a new round of probes now and then. So the
// filter is never needed for a packet to arrive.
//
// One a socket address, owned by the port; not thread-safe. Nothing here waits.
#pragma once

#include <linux/filter.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace rocelab::net::udp {

inline constexpr std::size_t kProcessesMax = 256;  ///< values of a QPN's high byte

/// Place of each process in the kernel's list; nothing: not known.
using Places = std::array<std::optional<std::uint16_t>, kProcessesMax>;

/// The filter: probes to the place that they name, packets to the place of their process, the rest to place 0.
std::vector<sock_filter> steering_program(const Places& places);

/// A probe as it lies in a datagram. No RoCE packet: its BTH has a version that nobody knows.
struct Probe {
  static constexpr std::size_t kSize = 24;
  std::uint16_t place = 0;
  std::uint32_t round = 0;
  std::uint64_t cookie = 0;  ///< known to the host's processes: others cannot answer for them

  static std::optional<Probe> parse(std::span<const std::byte> datagram);
  void emit(std::span<std::byte, kSize> out) const;
};

class Steering {
 public:
  Steering() = default;
  ~Steering() { leave(); }
  Steering(const Steering&) = delete;
  Steering& operator=(const Steering&) = delete;

  /// Opens or creates the shared file. `process`: our own, 1..255. Until begin_to_bind() others do not see us.
  base::TextResult<void> open(const std::string& path, std::uint32_t process);
  bool is_open() const { return shared_ != nullptr; }
  /// Keeps other processes from binding until end_to_bind(); true: no other process of the host is there.
  base::TextResult<bool> begin_to_bind();
  void end_to_bind();
  /// Other processes of the host have this address too, as far as we know.
  bool has_company() const;

  /// Sends probes for every place there can be to `address`, the one that all are bound to. Best effort. The filter is
  /// attached by `socket_to_prepare` first (-1: by others).
  void ask_for_places(const sockaddr* address, socklen_t length, int socket_to_prepare);
  /// A datagram of the socket that may be a probe. True: it was one, and is no packet. Puts the filter right if need
  /// be.
  bool take_probe(std::span<const std::byte> datagram, int socket);
  /// A packet of another process has come to us: true, now and then, when it is time to ask for places.
  bool note_stray() {
    ++strays_;
    return (strays_ & (strays_ - 1)) == 0;
  }

  /// Gives up our place; the socket is closed or about to be.
  void leave();
  /// In a forked child: lets go of what is the parent's. Async-signal-safe.
  void abandon() noexcept;

 private:
  struct Shared;
  bool is_there(std::uint32_t process) const;
  void attach(int socket);

  Shared* shared_ = nullptr;
  int fd_ = -1;
  std::uint32_t process_ = 0;
  std::uint32_t strays_ = 0;
};

}  // namespace rocelab::net::udp
