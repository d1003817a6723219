// The process-wide instance: see process.h.
#include "verbs/process.h"

#include <pthread.h>
#include <sys/random.h>

#include <iterator>
#include <utility>

#include "runtime/host.h"
#include "verbs/rdma_cm/agent.h"

namespace rocelab::verbs {

namespace {

struct AtExit {
  ~AtExit() { Process::instance().switch_devices_off(); }
};

}  // namespace

Process& Process::instance() {
  static Process* const process = new Process;  // never freed: destructors of the application may come after ours
  return *process;
}

Process::Process() {
  pthread_atfork([] { Process::instance().before_fork(); }, [] { Process::instance().after_fork_in_parent(); },
                 [] { Process::instance().after_fork_in_child(); });
}

void Process::switch_devices_off() {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& device : devices_) device->switch_off();
}

base::TextResult<std::span<const std::unique_ptr<Device>>> Process::devices() {
  static const AtExit at_exit;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (devices_.empty()) {
    const base::TextResult<runtime::Host*> host = runtime::process_host();
    if (!host) return base::fail_text(host.error());
    openers_.push_back(std::make_unique<HostOpener>(**host));
    for (const rxe::DeviceDescription& description : (*host)->devices()) {
      devices_.push_back(std::make_unique<Device>(*openers_.back(), description));
    }
  }
  return std::span<const std::unique_ptr<Device>>(devices_);
}

rdma_cm::Agent& Process::rdma_cm() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (agent_ == nullptr) {
    std::uint64_t seed = 0;
    [[maybe_unused]] const ssize_t drawn = getrandom(&seed, sizeof(seed), 0);
    agent_ = std::make_unique<rdma_cm::Agent>(seed);
  }
  return *agent_;
}

base::TextResult<rxe::VerbsDevice*> Process::HostOpener::open(std::uint32_t index) {
  const base::TextResult<runtime::LocalDevice*> opened = host_.open_device(index);
  if (!opened) return base::fail_text(opened.error());
  return *opened;
}

void Process::after_fork_in_child() {
  for (const auto& device : devices_) device->abandon();
  inherited_.insert(inherited_.end(), std::make_move_iterator(devices_.begin()),
                    std::make_move_iterator(devices_.end()));
  devices_.clear();
  static_cast<void>(agent_.release());  // its locks may be held by threads of the parent
  mutex_.unlock();
}

}  // namespace rocelab::verbs
