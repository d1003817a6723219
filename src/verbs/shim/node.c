// The character devices of /dev/infiniband: in the tree each is a file with its number ("231:192"), as the kernel
// writes it into the `dev` file of the device's class. Programs look whether they may read and write it, and some open
// it.
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "verbs/shim/redirect.h"

#define FOLDER "/dev/infiniband/"

static bool read_number(const char* target, dev_t* number) {
  char text[32];
  const int fd = REAL(open)(target, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return false;
  const ssize_t bytes = read(fd, text, sizeof text - 1);
  close(fd);
  unsigned major = 0, minor = 0;
  if (bytes <= 0) return false;
  text[bytes] = '\0';
  if (sscanf(text, "%u:%u", &major, &minor) != 2) return false;
  *number = makedev(major, minor);
  return true;
}

bool shim_device_number(const char* target, dev_t* number) {
  const char* tree = shim_tree();
  const size_t folder = tree == NULL ? 0 : strlen(tree);
  if (folder == 0 || strncmp(target, tree, folder) != 0) return false;
  if (strncmp(target + folder, FOLDER, sizeof FOLDER - 1) != 0) return false;
  const int saved = errno;
  const bool found = read_number(target, number);
  errno = saved;
  return found;
}

int shim_open_device(const char* target, int flags) {
  dev_t number;
  if (!shim_device_number(target, &number)) return -1;
  const int fd = memfd_create("rdma-device", MFD_ALLOW_SEALING | ((flags & O_CLOEXEC) != 0 ? MFD_CLOEXEC : 0));
  if (fd >= 0) fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
  return fd;
}
