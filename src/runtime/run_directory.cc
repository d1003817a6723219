// See run_directory.h. The checks are made on the opened directory, not on its name, so nobody can swap it in between.
#include "runtime/run_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace rocelab::runtime {

namespace {
/// The longest name that lies in the directory: a link's socket, "link-255.4294967295-255.4294967295".
constexpr std::size_t kNameMax = 36;
}  // namespace

base::TextResult<RunDirectory> RunDirectory::open(const std::string& path) {
  if (path.size() + 1 + kNameMax >= sizeof(sockaddr_un::sun_path)) {
    return base::fail_text(
        fmt::format("run directory `{}`: the path is too long, at most {} bytes leave room for sockets", path,
                    sizeof(sockaddr_un::sun_path) - kNameMax - 2));
  }
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return base::fail_text(fmt::format("run directory `{}`: cannot create it: {}", path, std::strerror(errno)));
  }
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) {
    // Linux reports a symbolic link as ENOTDIR or ELOOP, depending on which of the two flags it looks at first.
    const char* why = errno == ELOOP || errno == ENOTDIR ? "it is not a directory (a symbolic link is not followed)"
                                                         : std::strerror(errno);
    return base::fail_text(fmt::format("run directory `{}`: {}", path, why));
  }
  RunDirectory directory(fd, path);
  struct stat status {};
  if (fstat(fd, &status) != 0) {
    return base::fail_text(fmt::format("run directory `{}`: {}", path, std::strerror(errno)));
  }
  if (status.st_uid != geteuid()) {
    return base::fail_text(
        fmt::format("run directory `{}`: belongs to user {}, expected {}", path, status.st_uid, geteuid()));
  }
  if ((status.st_mode & 077) != 0) {
    return base::fail_text(
        fmt::format("run directory `{}`: mode {:04o} lets others in, expected 0700", path, status.st_mode & 07777));
  }
  return directory;
}

RunDirectory::RunDirectory(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

RunDirectory::RunDirectory(RunDirectory&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

RunDirectory::~RunDirectory() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace rocelab::runtime
