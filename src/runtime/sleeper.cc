// See sleeper.h. Timer and kick are edge-triggered: each write or expiry wakes once and nobody has to read them.
#include "runtime/sleeper.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace rocelab::runtime {

namespace {

bool watch(int epoll, int fd, std::uint32_t events, int operation = EPOLL_CTL_ADD) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  return epoll_ctl(epoll, operation, fd, &event) == 0;
}

}  // namespace

base::TextResult<void> Sleeper::open(int control_fd, int uplink_fd) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  event_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  control_ = control_fd;
  uplink_ = uplink_fd;
  const bool good = epoll_ >= 0 && timer_ >= 0 && event_ >= 0 && watch(epoll_, timer_, EPOLLIN | EPOLLET) &&
                    watch(epoll_, event_, EPOLLIN | EPOLLET) && watch(epoll_, control_, EPOLLIN) &&
                    (uplink_ < 0 || watch(epoll_, uplink_, 0));
  if (!good)
    return base::fail_text(fmt::format("progress thread: no descriptors to wait on: {}", std::strerror(errno)));
  return {};
}

Sleeper::Woken Sleeper::wait(bool uplink) {
  if (uplink_ >= 0 && uplink != uplink_watched_) {
    watch(epoll_, uplink_, uplink ? EPOLLIN : 0u, EPOLL_CTL_MOD);
    uplink_watched_ = uplink;
  }
  epoll_event events[4];
  const int count = epoll_wait(epoll_, events, 4, -1);
  Woken woken;
  for (int i = 0; i < count; ++i) {
    if (events[i].data.fd == uplink_ && (events[i].events & (EPOLLERR | EPOLLHUP)) != 0) clear_uplink_error();
    woken.timer = woken.timer || events[i].data.fd == timer_;
    woken.control = woken.control || events[i].data.fd == control_;
  }
  return woken;
}

/// An interface that goes down leaves an error on its socket, which epoll would report for ever.
void Sleeper::clear_uplink_error() {
  int error = 0;
  socklen_t length = sizeof(error);
  const bool cleared = getsockopt(uplink_, SOL_SOCKET, SO_ERROR, &error, &length) == 0;
  if (cleared && ++uplink_errors_ < kUplinkErrorsMax) return;
  epoll_ctl(epoll_, EPOLL_CTL_DEL, uplink_, nullptr);  // from now on it is looked at when something else wakes us
  uplink_ = -1;
}

void Sleeper::arm(base::Duration delay) {
  const std::int64_t ns = std::max<std::int64_t>(delay.count_ns(), 1);  // 0 would disarm
  itimerspec when{};
  when.it_value.tv_sec = ns / 1'000'000'000;
  when.it_value.tv_nsec = ns % 1'000'000'000;
  timerfd_settime(timer_, 0, &when, nullptr);
}

void Sleeper::kick() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(event_, &one, sizeof(one));
}

void Sleeper::close_all() noexcept {
  for (int* fd : {&epoll_, &timer_, &event_}) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
  }
}

}  // namespace rocelab::runtime
