// The few calls of bpf(2) that the AF_XDP port makes, with the kernel's reason when it refuses. Used by xdp_port.cc.
#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "base/result.h"

namespace rocelab::net::xdp {

/// Closes with its scope.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  int fd() const { return fd_; }

 private:
  int fd_;
};

/// A map from whole numbers to AF_XDP sockets.
base::TextResult<Descriptor> make_socket_map(std::uint32_t entries);
base::TextResult<void> put_socket(int map, std::uint32_t key, int socket);
/// Loads the program; a refusal by the verifier is told with its last line.
base::TextResult<Descriptor> load_xdp_program(std::span<const bpf_insn> program);
/// Attached as long as the descriptor is open, and no longer than this process lives. Tries the driver's own XDP first.
base::TextResult<Descriptor> attach_xdp(int program, unsigned interface_index);

}  // namespace rocelab::net::xdp
