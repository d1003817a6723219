// The TCP connection by which the two sides of a test program tell each other their addresses and wait for one another.
#pragma once

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace rocelab::interop {

class Meeting {
 public:
  /// Connects to `host`, or, when that is empty, waits for somebody who does.
  Meeting(const std::string& host, const std::string& port) {
    addrinfo hints{}, *where = nullptr;
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    if (getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &hints, &where) != 0) fail("getaddrinfo");
    fd_ = socket(where->ai_family, where->ai_socktype | SOCK_CLOEXEC, 0);
    if (fd_ < 0) fail("socket");
    if (!host.empty()) {
      if (connect(fd_, where->ai_addr, where->ai_addrlen) != 0) fail("connect");
    } else {
      const int on = 1;
      setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
      if (bind(fd_, where->ai_addr, where->ai_addrlen) != 0 || listen(fd_, 1) != 0) fail("listen");
      const int listener = fd_;
      fd_ = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      close(listener);
      if (fd_ < 0) fail("accept");
    }
    freeaddrinfo(where);
  }
  ~Meeting() {
    if (fd_ >= 0) close(fd_);
  }
  Meeting(const Meeting&) = delete;
  Meeting& operator=(const Meeting&) = delete;

  void exchange(const void* own, void* peer, std::size_t bytes) {
    if (write(fd_, own, bytes) != static_cast<ssize_t>(bytes)) fail("write");
    if (recv(fd_, peer, bytes, MSG_WAITALL) != static_cast<ssize_t>(bytes)) fail("the other side has gone: recv");
  }
  /// Until the other side is here, too.
  void wait() {
    const char here = 1;
    char there = 0;
    exchange(&here, &there, 1);
  }

 private:
  [[noreturn]] static void fail(const char* what) {
    throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
  }
  int fd_ = -1;
};

}  // namespace rocelab::interop
