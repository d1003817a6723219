// See control_socket.h.
#include "runtime/control_socket.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "runtime/host_page.h"

namespace rocelab::runtime {

namespace {

constexpr std::uint32_t kMagic = 0x726c'6331;  // "rlc1"

sockaddr_un address_of(const char* prefix, std::uint32_t slot) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // The run directory's length was checked to leave room; no allocation here, wake-ups are sent from the data path.
  std::snprintf(address.sun_path, sizeof(address.sun_path), "%s%u", prefix, slot);
  return address;
}

}  // namespace

base::TextResult<ControlSocket> ControlSocket::open(const RunDirectory& directory, std::uint32_t slot,
                                                    std::uint32_t generation) {
  const std::string prefix = directory.file("control-");
  const sockaddr_un address = address_of(prefix.c_str(), slot);
  unlink(address.sun_path);
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  ControlSocket control(fd, prefix, slot, generation);
  if (fd < 0 || bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return base::fail_text(fmt::format("control socket `{}`: {}", address.sun_path, std::strerror(errno)));
  }
  return control;
}

ControlSocket::ControlSocket(int fd, std::string prefix, std::uint32_t slot, std::uint32_t generation)
    : fd_(fd), prefix_(std::move(prefix)), slot_(slot), generation_(generation) {}

ControlSocket::ControlSocket(ControlSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      prefix_(std::move(other.prefix_)),
      slot_(other.slot_),
      generation_(other.generation_) {}

ControlSocket::~ControlSocket() {
  if (fd_ < 0) return;
  unlink(path_of(slot_).c_str());  // before the close: after it a successor may already have bound the name
  close(fd_);
}

void ControlSocket::abandon() noexcept {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

std::string ControlSocket::path_of(std::uint32_t slot) const { return prefix_ + std::to_string(slot); }

bool ControlSocket::send(ControlKind kind, std::uint32_t to_slot, std::uint32_t to_generation) const {
  const ControlMessage message{kMagic, kind, slot_, generation_, to_generation};
  const sockaddr_un address = address_of(prefix_.c_str(), to_slot);
  const auto sent = sendto(fd_, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL,
                           reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  return sent >= 0 || (errno != ECONNREFUSED && errno != ENOENT);
}

std::optional<ControlMessage> ControlSocket::receive() const {
  for (;;) {
    ControlMessage message;
    const auto length = recv(fd_, &message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);
    if (length < 0) return std::nullopt;
    if (length != sizeof(message) || message.magic != kMagic || message.to_generation != generation_) continue;
    if (message.from_slot == 0 || message.from_slot > kSlotsMax || message.from_slot == slot_) continue;
    return message;
  }
}

}  // namespace rocelab::runtime
