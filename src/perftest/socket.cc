// See socket.h.
#include "perftest/socket.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

namespace rocelab::perftest {
namespace {

constexpr int kAttempts = 100;
constexpr int kBetweenAttemptsMs = 100;

std::string because(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

class Socket final : public Surroundings {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() override { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  bool swap(const void* mine, void* theirs, std::size_t bytes) override {
    return all(mine, bytes, [this](const void* at, std::size_t left) { return send(fd_, at, left, MSG_NOSIGNAL); }) &&
           all(theirs, bytes, [this](void* at, std::size_t left) { return recv(fd_, at, left, 0); });
  }
  std::uint64_t now_ps() override {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()) * 1'000;
  }
  void print(std::string_view text) override {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }

 private:
  template <class Bytes, class Move>
  static bool all(Bytes* bytes, std::size_t left, Move&& move) {
    using Byte = std::conditional_t<std::is_const_v<Bytes>, const char, char>;
    auto* at = static_cast<Byte*>(bytes);
    while (left != 0) {
      const ssize_t moved = move(at, left);
      if (moved < 0 && errno == EINTR) continue;
      if (moved <= 0) return false;
      at += moved;
      left -= static_cast<std::size_t>(moved);
    }
    return true;
  }

  int fd_;
};

struct Addresses {
  ~Addresses() {
    if (list != nullptr) freeaddrinfo(list);
  }
  addrinfo* list = nullptr;
};

/// Empty, or why the name means nothing.
std::string look_up(const char* host, std::uint16_t port, Addresses& found) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = host == nullptr ? AI_PASSIVE : 0;
  const int code = getaddrinfo(host, std::to_string(port).c_str(), &hints, &found.list);
  return code == 0 ? std::string() : std::string(host == nullptr ? "any address" : host) + ": " + gai_strerror(code);
}

}  // namespace

base::TextResult<std::unique_ptr<Surroundings>> listen_for_client(std::uint16_t port) {
  Addresses found;
  if (std::string wrong = look_up(nullptr, port, found); !wrong.empty()) return base::fail_text(std::move(wrong));
  std::string wrong = "there is no address to listen at";
  for (const addrinfo* at = found.list; at != nullptr; at = at->ai_next) {
    const int listener = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    if (listener < 0) {
      wrong = because("socket");
      continue;
    }
    const int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, at->ai_addr, at->ai_addrlen) != 0 || listen(listener, 1) != 0) {
      wrong = "port " + std::to_string(port) + ": " + std::strerror(errno);
      close(listener);
      continue;
    }
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) wrong = because("accept");
    close(listener);
    if (fd >= 0) return std::make_unique<Socket>(fd);
  }
  return base::fail_text(std::move(wrong));
}

base::TextResult<std::unique_ptr<Surroundings>> connect_to_server(const std::string& host, std::uint16_t port) {
  Addresses found;
  if (std::string wrong = look_up(host.c_str(), port, found); !wrong.empty()) return base::fail_text(std::move(wrong));
  std::string wrong;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (attempt != 0) poll(nullptr, 0, kBetweenAttemptsMs);
    for (const addrinfo* at = found.list; at != nullptr; at = at->ai_next) {
      const int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
      if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) == 0) return std::make_unique<Socket>(fd);
      wrong = host + ", port " + std::to_string(port) + ": " + std::strerror(errno);
      if (fd >= 0) close(fd);
    }
  }
  return base::fail_text(std::move(wrong));
}

}  // namespace rocelab::perftest
