// Forking, pinning and sharing memory for perf/limits.
#include "perf/pair.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <vector>

namespace rocelab::perf {

namespace {

std::vector<int> available_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> found;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return {0};
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) found.push_back(cpu);
  }
  return found;
}

bool read_number(const std::string& text, int& number) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

bool contains(const std::vector<int>& numbers, int number) {
  for (const int n : numbers) {
    if (n == number) return true;
  }
  return false;
}

}  // namespace

Processors pick_processors(const std::string& text, std::string& error) {
  const std::vector<int> available = available_processors();
  Processors picked{available.front(), available.back(), available.size() < 2};
  if (available.size() > 1) picked.second = available[1];
  if (text.empty()) return picked;

  const std::size_t comma = text.find(',');
  if (comma == std::string::npos || !read_number(text.substr(0, comma), picked.first) ||
      !read_number(text.substr(comma + 1), picked.second)) {
    error = "--cpus " + text + ": expected two processor numbers, as in 0,1";
  } else if (!contains(available, picked.first) || !contains(available, picked.second)) {
    error = "--cpus " + text + ": this process may not run on one of them";
  }
  picked.shared = picked.first == picked.second;
  return picked;
}

void raise_priority() {
  sched_param lowest{};
  lowest.sched_priority = sched_get_priority_min(SCHED_FIFO);
  sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &lowest);
}

void pin_to(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(processor), &set);
  sched_setaffinity(0, sizeof set, &set);
}

SharedMemory::SharedMemory(std::size_t bytes)
    : start_(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0)),
      bytes_(bytes) {
  if (start_ == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
}

SharedMemory::~SharedMemory() { munmap(start_, bytes_); }

double run_pair(const Processors& processors, const std::function<void()>& self, const std::function<void()>& other) {
  SharedMemory memory(4096);
  auto* ready = memory.as<std::atomic<int>>();
  const pid_t child = fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin_to(processors.second);
    if (processors.realtime) raise_priority();
    ready->store(1, std::memory_order_release);
    other();
    _exit(0);
  }
  pin_to(processors.first);
  if (processors.realtime) raise_priority();
  while (ready->load(std::memory_order_acquire) == 0) relax(true);
  const double seconds = seconds_of(self);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? seconds : -1;
}

bool Channel::send(const void* data, std::size_t bytes) {
  const auto* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t n = write(out_, next, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    next += n;
    bytes -= static_cast<std::size_t>(n);
  }
  return true;
}

bool Channel::receive(void* data, std::size_t bytes) {
  auto* next = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t n = read(in_, next, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    next += n;
    bytes -= static_cast<std::size_t>(n);
  }
  return true;
}

bool Channel::exchange(const void* mine, void* theirs, std::size_t bytes) {
  // In pieces that the socket holds, so that both can send first.
  for (std::size_t done = 0; done < bytes;) {
    const std::size_t piece = std::min<std::size_t>(bytes - done, 16'384);
    if (!send(static_cast<const char*>(mine) + done, piece) || !receive(static_cast<char*>(theirs) + done, piece)) {
      return false;
    }
    done += piece;
  }
  return true;
}

int run_session(const char* program, const Processors& processors,
                const std::function<int(Channel&, bool first)>& side) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    std::fprintf(stderr, "%s: socketpair: %s\n", program, std::strerror(errno));
    return 1;
  }
  // The first may be polling memory when the second fails: its end must interrupt that.
  struct sigaction action {};
  action.sa_handler = [](int) {
    int status = 0;
    if (waitpid(-1, &status, WNOHANG) > 0 && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) _exit(1);
  };
  action.sa_flags = SA_RESTART;
  sigaction(SIGCHLD, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // a peer that has gone is an error of write()
  const pid_t child = fork();
  if (child < 0) {
    std::fprintf(stderr, "%s: fork: %s\n", program, std::strerror(errno));
    return 1;
  }
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(ends[0]);
    pin_to(processors.second);
    Channel channel(ends[1], ends[1]);
    const int status = side(channel, false);
    std::fflush(nullptr);
    _exit(status);
  }
  close(ends[1]);
  pin_to(processors.first);
  Channel channel(ends[0], ends[0]);
  return side(channel, true);
}

}  // namespace rocelab::perf
