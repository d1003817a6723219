// A helper process of a test: started, waited for by what it says, killed with its owner at the latest.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace rocelab::net {

class PeerProcess {
 public:
  /// command[0] is searched in PATH. Its standard output is read by wait_for().
  explicit PeerProcess(std::vector<std::string> command);
  ~PeerProcess();
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

  pid_t pid() const { return pid_; }
  /// Blocks until the process has printed that line; false: it ended without.
  bool wait_for(const std::string& line);
  void send_signal(int signal) const;
  /// Blocks until it ends; its exit status, or minus the signal's number.
  int wait();

 private:
  pid_t pid_ = -1;
  int output_ = -1;
  std::string seen_;
};

/// A directory below the system's temporary one, removed with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace rocelab::net
