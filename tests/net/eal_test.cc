// EAL's start: what it leaves as it was, and what a forked child may not do.
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "net/dpdk/eal.h"
#include "net/dpdk/memif_port.h"
#include "tests/net/peer_process.h"
#include "tests/support/catch.h"

namespace rocelab::net::dpdk {

namespace {

/// The value of a line of /proc/self/task/TID/status.
std::string status_of(const std::string& tid, const std::string& key) {
  std::ifstream file("/proc/self/task/" + tid + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key + ":", 0) == 0) return line.substr(line.find_first_not_of(" \t", key.size() + 1));
  }
  return "";
}

std::vector<std::string> thread_ids() {
  std::vector<std::string> ids;
  DIR* const tasks = opendir("/proc/self/task");
  while (const dirent* entry = readdir(tasks)) {
    if (entry->d_name[0] != '.') ids.emplace_back(entry->d_name);
  }
  closedir(tasks);
  return ids;
}

}  // namespace

TEST_CASE("eal: starts once, from many threads at once, and leaves affinity and signal mask alone", "[net][eal]") {
  cpu_set_t affinity_before, affinity_after;
  sigset_t mask_before, mask_after;
  REQUIRE(sched_getaffinity(0, sizeof affinity_before, &affinity_before) == 0);
  REQUIRE(pthread_sigmask(SIG_SETMASK, nullptr, &mask_before) == 0);
  const std::vector<std::string> threads_before = thread_ids();

  std::array<bool, 4> ok{};
  std::vector<std::thread> callers;
  for (bool& result : ok) callers.emplace_back([&result] { result = start_eal().has_value(); });
  for (std::thread& caller : callers) caller.join();
  for (const bool result : ok) CHECK(result);
  CHECK(start_eal().has_value());
  CHECK(eal_started());
  CHECK(eal_usable());

  REQUIRE(sched_getaffinity(0, sizeof affinity_after, &affinity_after) == 0);
  REQUIRE(pthread_sigmask(SIG_SETMASK, nullptr, &mask_after) == 0);
  CHECK(CPU_EQUAL(&affinity_before, &affinity_after));
  for (int signal = 1; signal < NSIG; ++signal) {
    CHECK(sigismember(&mask_before, signal) == sigismember(&mask_after, signal));
  }
}

TEST_CASE("eal: its threads and ours block every signal that can be blocked", "[net][eal]") {
  const TemporaryDirectory directory;
  REQUIRE(start_eal().has_value());
  const auto port = MemifPort::create({.socket_path = directory.path() + "/link", .server = true});
  REQUIRE(port.has_value());
  int ours = 0;
  for (const std::string& tid : thread_ids()) {
    const std::string name = status_of(tid, "Name");
    if (name != "eal-intr-thread" && name != "rocelab-memif") continue;
    ++ours;
    const auto blocked = std::stoull(status_of(tid, "SigBlk"), nullptr, 16);
    for (const int signal : {SIGINT, SIGTERM, SIGALRM, SIGUSR1, SIGCHLD, SIGPROF, SIGPIPE}) {
      INFO(name << " " << signal);
      CHECK((blocked >> (signal - 1) & 1) == 1);
    }
  }
  CHECK(ours == 2);
}

TEST_CASE("eal: a forked child is refused with a reason and does its parent no harm", "[net][eal]") {
  const TemporaryDirectory directory;
  auto port = MemifPort::create({.socket_path = directory.path() + "/link", .server = true});
  REQUIRE(port.has_value());
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto started = start_eal();
    const bool refused = !started && started.error().find("does not survive fork()") != std::string::npos;
    const bool told = eal_started() && !eal_usable() && !(*port)->link_up() && (*port)->tx_reserve(100) == nullptr;
    port->reset();
    _exit(refused && told ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(access((directory.path() + "/link").c_str(), F_OK) == 0);
  CHECK(eal_usable());
}

}  // namespace rocelab::net::dpdk
