// ReadyFd over an eventfd: its counter is not 0 while the queue holds something.
#include "verbs/ready_fd.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace rocelab::verbs {

ReadyFd::ReadyFd() : fd_(eventfd(0, EFD_CLOEXEC)) {}

ReadyFd::~ReadyFd() {
  if (fd_ >= 0) close(fd_);
}

void ReadyFd::raise() {
  // A blocking eventfd blocks a writer only when the counter is about to overflow 64 bits.
  const int saved = errno;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(fd_, &one, sizeof(one));
  errno = saved;
}

void ReadyFd::lower() {
  // Another thread may just have taken the readiness, so this read must not wait whatever the descriptor's mode. Where
  // the kernel can't read an eventfd that way (before 5.10) one poll() too many says "ready" and wait() sorts it out.
  const int saved = errno;
  std::uint64_t count = 0;
  iovec piece{&count, sizeof(count)};
  [[maybe_unused]] const ssize_t got = preadv2(fd_, &piece, 1, -1, RWF_NOWAIT);
  errno = saved;
}

bool ReadyFd::blocking() const { return (fcntl(fd_, F_GETFL) & O_NONBLOCK) == 0; }

bool ReadyFd::wait() {
  std::uint64_t count = 0;
  return read(fd_, &count, sizeof(count)) == static_cast<ssize_t>(sizeof(count));
}

}  // namespace rocelab::verbs
