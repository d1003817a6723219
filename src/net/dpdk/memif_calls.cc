// What DPDK's memif driver calls instead of the C library and EAL (memif.objcopy renames its undefined symbols when
// the archive is copied). Descriptors get close-on-exec, so that a program which a killed process had started does not
// hold its links open; nothing blocks on a peer that stands still; no SIGPIPE; callbacks go to MemifControl. The
// driver's signatures, C linkage, no exceptions. All callers hold MemifControl's lock.
#include <fcntl.h>
#include <rte_interrupts.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <vector>

#include "net/dpdk/memif_control.h"

using rocelab::net::dpdk::DriverCallback;
using rocelab::net::dpdk::DriverFarewell;
using rocelab::net::dpdk::HandshakeGuard;
using rocelab::net::dpdk::MemifControl;

namespace {

MemifControl* control() { return MemifControl::instance().value_or(nullptr); }

std::vector<int> received_descriptors(msghdr& message) {
  std::vector<int> all;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    all.resize((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    std::memcpy(all.data(), CMSG_DATA(part), all.size() * sizeof(int));
  }
  return all;
}

}  // namespace

extern "C" {

int rocelab_memif_socket(int domain, int type, int protocol) { return socket(domain, type | SOCK_CLOEXEC, protocol); }

int rocelab_memif_accept(int fd, sockaddr* address, socklen_t* length) {
  const int accepted = accept4(fd, address, length, SOCK_CLOEXEC);
  if (accepted >= 0) control()->guard(accepted, true);
  return accepted;
}

/// A full backlog (the server stands still) fails at once; the port tries again later.
int rocelab_memif_connect(int fd, const sockaddr* address, socklen_t length) {
  const int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  const int result = connect(fd, address, length);
  const int error = errno;
  fcntl(fd, F_SETFL, flags);
  if (result == 0) control()->guard(fd, false);
  errno = error;
  return result;
}

int rocelab_memif_listen(int fd, int) { return listen(fd, SOMAXCONN); }

ssize_t rocelab_memif_sendmsg(int fd, const msghdr* message, int flags) {
  return sendmsg(fd, message, flags | MSG_NOSIGNAL | MSG_DONTWAIT);
}

/// A message that is out of order ends the connection: to the driver the peer has gone.
ssize_t rocelab_memif_recvmsg(int fd, msghdr* message, int flags) {
  const ssize_t got = recvmsg(fd, message, flags | MSG_CMSG_CLOEXEC);
  if (got != static_cast<ssize_t>(HandshakeGuard::kMessageBytes)) return got;
  const std::vector<int> descriptors = received_descriptors(*message);
  const std::span<const std::byte, HandshakeGuard::kMessageBytes> bytes(
      static_cast<const std::byte*>(message->msg_iov[0].iov_base), HandshakeGuard::kMessageBytes);
  if (control()->in_order(fd, bytes, descriptors.size())) return got;
  for (const int descriptor : descriptors) close(descriptor);
  message->msg_controllen = 0;
  errno = EPROTO;
  return -1;
}

int rocelab_memif_eventfd(unsigned count, int flags) { return eventfd(count, flags | EFD_CLOEXEC); }

int rocelab_memif_memfd_create(const char* name, unsigned flags) { return memfd_create(name, flags | MFD_CLOEXEC); }

/// Memory from a peer must be as long as it says and sealed against shrinking, or touching it could raise SIGBUS.
void* rocelab_memif_mmap(void* address, std::size_t bytes, int protection, int flags, int fd, off_t offset) {
  struct stat status {};
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(fd, &status) != 0 ||
      static_cast<std::uint64_t>(status.st_size) < bytes) {
    errno = EINVAL;
    return MAP_FAILED;
  }
  return mmap(address, bytes, protection, flags, fd, offset);
}

rte_intr_handle* rocelab_memif_handle_alloc(std::uint32_t) {
  rte_intr_handle* handle = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
  control()->note_handle(handle);
  return handle;
}

int rocelab_memif_callback_register(const rte_intr_handle* handle, rte_intr_callback_fn callback, void* argument) {
  return control()->register_callback(const_cast<rte_intr_handle*>(handle), rte_intr_fd_get(handle), callback,
                                      argument);
}

int rocelab_memif_callback_unregister(const rte_intr_handle* handle, rte_intr_callback_fn callback, void* argument) {
  return control()->unregister_callback(rte_intr_fd_get(handle), callback, argument);
}

int rocelab_memif_callback_unregister_pending(const rte_intr_handle* handle, rte_intr_callback_fn callback,
                                              void* argument, rte_intr_unregister_callback_fn farewell) {
  return control()->unregister_later(rte_intr_fd_get(handle), callback, argument, farewell);
}
}
