// The one Host that the libibverbs ABI of a process uses. It is never freed: threads of the application may still be
// inside a verbs call while exit() runs, so at exit it only retires, and a call that comes later finds its device gone.
#include <atomic>
#include <memory>
#include <mutex>

#include "net/dpdk/eal.h"
#include "runtime/fork_watch.h"
#include "runtime/host.h"

namespace rocelab::runtime {

namespace {

struct Instance {
  explicit Instance(std::uint32_t fork) : made_in_fork(fork) {}
  const std::uint32_t made_in_fork;
  std::mutex mutex;
  std::unique_ptr<Host> host;
};

std::atomic<Instance*> current{nullptr};

/// Runs at exit() or dlclose().
struct AtExit {
  ~AtExit() {
    Instance* const instance = current.load();
    if (instance == nullptr || instance->made_in_fork != fork_generation()) return;
    const std::lock_guard guard(instance->mutex);
    if (instance->host != nullptr) instance->host->retire();
  }
};

/// The instance of this process: a child of fork() leaves its parent's alone, whose mutex may be held for ever.
Instance& instance_of_process() {
  const std::uint32_t fork = fork_generation();
  Instance* seen = current.load();
  while (seen == nullptr || seen->made_in_fork != fork) {
    auto* const fresh = new Instance(fork);
    if (current.compare_exchange_strong(seen, fresh)) return *fresh;
    delete fresh;
  }
  return *seen;
}

}  // namespace

base::TextResult<Host*> process_host() {
  if (net::dpdk::eal_started() && !net::dpdk::eal_usable()) {
    return base::fail_text(
        "the parent process had used its RDMA device before fork(), which DPDK does not survive: open the device in "
        "the "
        "child only, or start the child with exec");
  }
  static const AtExit at_exit;
  Instance& instance = instance_of_process();
  const std::lock_guard guard(instance.mutex);
  if (instance.host == nullptr) {
    auto config = load_config();
    if (!config) return base::fail_text(config.error());
    auto host = Host::create(std::move(*config));
    if (!host) return base::fail_text(host.error());
    instance.host = std::move(*host);
  }
  return instance.host.get();
}

}  // namespace rocelab::runtime
