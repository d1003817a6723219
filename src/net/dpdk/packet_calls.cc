// What DPDK's af_packet driver calls instead of the C library (af_packet.objcopy): its socket gets the filter of
// packet_socket.h before it is bound, and becomes the port's wait_fd(); nothing waits for a full ring.
#include "net/dpdk/packet_calls.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>

#include "net/dpdk/roce_filter.h"

namespace rocelab::net::dpdk {

namespace {
thread_local PacketSocketScope* scope = nullptr;
}

PacketSocketScope::PacketSocketScope(std::uint32_t process) : process_(process) { scope = this; }
PacketSocketScope::~PacketSocketScope() { scope = nullptr; }

void PacketSocketScope::opened(int fd) {
  fd_ = fd;
  if (const int error = attach_roce_filter(fd, process_); error != 0) error_ = error;
}

}  // namespace rocelab::net::dpdk

extern "C" {

int rocelab_packet_socket(int domain, int type, int protocol) {
  const int fd = socket(domain, type | SOCK_CLOEXEC, protocol);
  if (fd >= 0 && domain == AF_PACKET && rocelab::net::dpdk::scope != nullptr) rocelab::net::dpdk::scope->opened(fd);
  return fd;
}

/// The driver waits here for room in its ring, for ever: "error" makes it return what it has sent so far.
int rocelab_packet_poll(pollfd*, nfds_t, int) {
  errno = EAGAIN;
  return -1;
}

/// The ring's pages are the kernel's and resident anyway: locking them would only count against RLIMIT_MEMLOCK.
void* rocelab_packet_mmap(void* address, std::size_t bytes, int protection, int flags, int fd, off_t offset) {
  return mmap(address, bytes, protection, flags & ~MAP_LOCKED, fd, offset);
}
}
