// The run directory is the host: processes that name the same one share its devices. It holds the host page and the
// sockets between processes, so only its owner may look inside. Opened by the Host; an object of this class keeps the
// directory open. Not thread-safe beyond const use.
#pragma once

#include <string>

#include "base/result.h"

namespace rocelab::runtime {

class RunDirectory {
 public:
  /// Creates the directory (mode 0700) unless it is there. Refuses what is no directory of our own: a symbolic link,
  /// another owner, a mode that lets others in, a path too long for the sockets inside.
  static base::TextResult<RunDirectory> open(const std::string& path);
  RunDirectory(RunDirectory&& other) noexcept;
  RunDirectory& operator=(RunDirectory&& other) = delete;
  ~RunDirectory();

  int fd() const { return fd_; }
  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  RunDirectory(int fd, std::string path);

  int fd_;
  std::string path_;
};

}  // namespace rocelab::runtime
