// The libibverbs ABI has one instance a process, and this is the named place where it lives: the devices of this
// process, made from runtime::process_host() at the first ibv_get_device_list, and switched off at exit and in a child
// of fork().
//
// The library is linked with -z nodelete: dlclose leaves it where it is, because the progress thread may be running in
// it, and a later dlopen finds the same instance again. It is never freed: threads and destructors of the application
// may still use devices and contexts while exit() runs. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/result.h"
#include "runtime/host.h"
#include "verbs/device.h"

namespace rocelab::verbs {

namespace rdma_cm {
class Agent;
}

class Process {
 public:
  static Process& instance();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// The devices, the same objects at every call; they live as long as the process. A failure is a message for people:
  /// a mistake in the configuration.
  base::TextResult<std::span<const std::unique_ptr<Device>>> devices();

  /// The rdma_cm device; one of its own in a child of fork().
  rdma_cm::Agent& rdma_cm();

  // Around fork(): the child must find no lock held by a thread that it does not have, and no device.
  void before_fork() { mutex_.lock(); }
  void after_fork_in_parent() { mutex_.unlock(); }
  void after_fork_in_child();

  /// At exit: calls that come later fail with ENODEV.
  void switch_devices_off();

 private:
  Process();

  /// Opens the devices of one runtime::Host.
  class HostOpener final : public DeviceOpener {
   public:
    explicit HostOpener(runtime::Host& host) : host_(host) {}
    base::TextResult<rxe::VerbsDevice*> open(std::uint32_t index) override;

   private:
    runtime::Host& host_;
  };

  std::mutex mutex_;
  std::vector<std::unique_ptr<HostOpener>> openers_;  ///< of this process and, if it was forked, of its parents
  std::vector<std::unique_ptr<Device>> devices_;
  std::unique_ptr<rdma_cm::Agent> agent_;           ///< once used
  std::vector<std::unique_ptr<Device>> inherited_;  ///< of the parents of this process; contexts still point to them
};

}  // namespace rocelab::verbs
