// A lock on one byte of a file, held by an open file description (fcntl(2), F_OFD_*): the pages that processes share.
#pragma once

#include <fcntl.h>

#include <cstdint>

namespace rocelab::runtime {

/// fcntl() with `command` and a lock of `type` on that byte; `out`: the lock as the kernel left it. 0, or -1 and errno.
inline int lock_byte(int fd, int command, short type, std::uint32_t byte, struct flock* out = nullptr) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(byte);
  lock.l_len = 1;
  const int status = fcntl(fd, command, &lock);
  if (out != nullptr) *out = lock;
  return status;
}

}  // namespace rocelab::runtime
