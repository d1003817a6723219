// The control thread of memif links and its table of callbacks.
#include "net/dpdk/memif_control.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <new>

#include "net/dpdk/log_capture.h"

namespace rocelab::net::dpdk {

namespace {

/// A detached thread without signals, not confined to the processor that the caller polls on: it may run wherever the
/// process as a whole may. An errno, or 0.
int start_thread(const char* name, void* (*body)(void*), void* argument) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  const int error = pthread_create(&thread, nullptr, body, argument);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return error;
  pthread_setname_np(thread, name);
  cpu_set_t set;
  if (sched_getaffinity(getpid(), sizeof set, &set) == 0) pthread_setaffinity_np(thread, sizeof set, &set);
  pthread_detach(thread);
  return 0;
}

}  // namespace

base::TextResult<MemifControl*> MemifControl::instance() {
  static std::mutex mutex;
  static MemifControl* control = nullptr;  // never freed: its thread ends with the process
  const std::scoped_lock lock(mutex);
  if (control != nullptr) return control;

  const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) return base::fail_text(fmt::format("memif: no epoll descriptor: {}", std::strerror(errno)));
  auto* made = new (std::nothrow) MemifControl(epoll_fd);
  int error = made == nullptr ? ENOMEM : 0;
  if (error == 0) {
    error = start_thread(
        "rocelab-memif", [](void* self) -> void* { static_cast<MemifControl*>(self)->run(); }, made);
  }
  if (error == 0) {
    control = made;
    const auto ask = [](void* self) -> void* {
      static_cast<MemifControl*>(self)->lock_.make_bursts_cheap();
      return nullptr;
    };
    start_thread("rocelab-barrier", ask, made);  // without it bursts stay as they are
    return control;
  }
  delete made;
  close(epoll_fd);
  return base::fail_text(fmt::format("memif: no control thread: {}", std::strerror(error)));
}

MemifControl::Entries::iterator MemifControl::find(int fd, DriverCallback callback, void* argument) {
  auto entry = entries_.begin();
  while (entry != entries_.end() &&
         (entry->second.fd != fd || entry->second.callback != callback || entry->second.argument != argument)) {
    ++entry;
  }
  return entry;
}

void MemifControl::drop(Entries::iterator entry) {
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, entry->second.fd, nullptr);
  entries_.erase(entry);
}

int MemifControl::register_callback(rte_intr_handle* handle, int fd, DriverCallback callback, void* argument) {
  // The driver closes and frees a connection that it cannot greet without unregistering it: the number came back.
  std::erase_if(entries_, [fd](const auto& entry) { return entry.second.fd == fd; });
  const std::uint64_t id = next_id_++;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = id;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) return -errno;
  entries_[id] = {handle, fd, callback, argument, false, nullptr};
  last_registered_ = fd;
  return 0;
}

int MemifControl::unregister_callback(int fd, DriverCallback callback, void* argument) {
  const auto entry = find(fd, callback, argument);
  if (entry == entries_.end()) return -ENOENT;
  if (entry->second.active) return -EAGAIN;
  drop(entry);
  return 1;
}

int MemifControl::unregister_later(int fd, DriverCallback callback, void* argument, DriverFarewell farewell) {
  const auto entry = find(fd, callback, argument);
  if (entry == entries_.end() || !entry->second.active) return -ENOENT;
  entry->second.farewell = farewell;
  return 1;
}

void MemifControl::forget(int fd) {
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->second.fd != fd) continue;
    drop(entry);
    close(fd);
    return;
  }
}

void MemifControl::handle(std::uint64_t id) {
  auto entry = entries_.find(id);
  if (entry == entries_.end()) return;  // unregistered since the event
  entry->second.active = true;
  entry->second.callback(entry->second.argument);
  entry = entries_.find(id);
  if (entry == entries_.end()) return;
  entry->second.active = false;
  if (entry->second.farewell == nullptr) return;
  const Entry last = entry->second;
  drop(entry);  // first: the farewell closes the descriptor
  last.farewell(last.handle, last.argument);
}

void MemifControl::run() {
  std::array<epoll_event, 16> events;
  for (;;) {
    const int count = epoll_wait(epoll_fd_, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const std::scoped_lock lock(lock_);
      const LogCapture quiet;  // peers come and go; the port's link_up() tells
      handle(events[static_cast<std::size_t>(i)].data.u64);
      for (ControlObserver* observer : observers_) observer->control_ran();
    }
  }
}

}  // namespace rocelab::net::dpdk
