// Helpers by which other libraries read sysfs. They open files by name, so the preload shim of `rocelab run` serves
// them as it serves the application.
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <string>

namespace {

/// SYSFS_PATH without its trailing slashes, unless the program runs with another user's rights.
std::string sysfs_root() {
  const char* chosen = getuid() == geteuid() ? std::getenv("SYSFS_PATH") : nullptr;
  std::string root = chosen != nullptr ? chosen : "/sys";
  while (!root.empty() && root.back() == '/') root.pop_back();
  return root;
}

}  // namespace

extern "C" {

const char* ibv_get_sysfs_path(void) {
  static const std::string root = sysfs_root();
  return root.c_str();
}

/// Reads a file of one line into a string without its newline. -1: not there, or longer than the buffer.
int ibv_read_sysfs_file(const char* dir, const char* file, char* buf, std::size_t size) {
  const int fd = open((std::string(dir) + "/" + file).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  const ssize_t got = read(fd, buf, size);
  close(fd);
  if (got <= 0) return static_cast<int>(got);
  auto length = static_cast<std::size_t>(got);
  if (buf[length - 1] == '\n') {
    --length;
  } else if (length == size) {
    return -1;
  }
  buf[length] = '\0';
  return static_cast<int>(length);
}

}  // extern "C"
