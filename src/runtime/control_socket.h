// The doorbell between processes of a host: one unix datagram socket a slot, in the run directory. It carries wake-ups,
// invitations to a link and farewells; packets never. Owned by the Driver; receive() and fd() belong to the progress
// thread, send() may be called from any thread. A datagram lost to a full buffer is harmless: what is in the buffer
// wakes the reader, and invitations are repeated.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "runtime/run_directory.h"

namespace rocelab::runtime {

enum class ControlKind : std::uint32_t {
  kWake = 1,      ///< frames wait for you
  kConnect = 2,   ///< make your end of our link
  kFarewell = 3,  ///< I am leaving: drop our link
};

struct ControlMessage {
  std::uint32_t magic = 0;
  ControlKind kind = ControlKind::kWake;
  std::uint32_t from_slot = 0;
  std::uint32_t from_generation = 0;
  std::uint32_t to_generation = 0;  ///< of the receiver, so that a successor in the slot ignores what was not for it
};

class ControlSocket {
 public:
  /// Binds the socket of (slot); what a dead predecessor left is removed.
  static base::TextResult<ControlSocket> open(const RunDirectory& directory, std::uint32_t slot,
                                              std::uint32_t generation);
  ControlSocket(ControlSocket&& other) noexcept;
  ControlSocket& operator=(ControlSocket&&) = delete;
  ~ControlSocket();

  int fd() const { return fd_; }
  /// Never blocks. False when there is nobody at the other end.
  bool send(ControlKind kind, std::uint32_t to_slot, std::uint32_t to_generation) const;
  /// The next message that is well-formed and meant for us; nothing when there is none (left).
  std::optional<ControlMessage> receive() const;
  /// In the child after fork().
  void abandon() noexcept;

 private:
  ControlSocket(int fd, std::string prefix, std::uint32_t slot, std::uint32_t generation);
  std::string path_of(std::uint32_t slot) const;

  int fd_;
  std::string prefix_;
  std::uint32_t slot_;
  std::uint32_t generation_;
};

}  // namespace rocelab::runtime
