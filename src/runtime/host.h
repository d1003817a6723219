// One process's part in a host: configuration, the shared host page and this process's slot in it, links to the other
// processes, the uplink, the devices and the progress thread. The libibverbs ABI keeps one for the process
// (process_host()); tests and tools may create their own.
//
// Creating a Host costs nothing but reading the configuration; the slot is claimed and the thread started when the
// first device is opened, DPDK's EAL when the first packet needs a link to another process or the uplink.
// Thread-safety: open_device and devices() from any thread; destruction when nobody uses a device any more.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/result.h"
#include "runtime/config.h"
#include "runtime/local_device.h"

namespace rocelab::runtime {

class Host {
 public:
  /// Checks the configuration against the machine (run directory, interface). The message of a failure is for people.
  static base::TextResult<std::unique_ptr<Host>> create(Config config);
  /// Stops the thread, gives the slot back, closes links. Completions not yet polled are lost with the devices.
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  const Config& config() const { return config_; }
  /// All devices of the host, whether opened or not.
  std::span<const DeviceDescription> devices() const { return descriptions_; }
  /// The process's instance of a device; the same object on every call, valid as long as the Host. Fails with a message
  /// for people: all 255 slots taken, run directory not ours, no right to open the uplink, ...
  base::TextResult<LocalDevice*> open_device(std::size_t index);
  /// Slot of this process, 1..255; 0 before the first open_device. Its QPNs are slot << 16 .. slot << 16 | 0xffff,
  /// split evenly between the devices.
  std::uint32_t slot() const;
  /// What the destructor does, but devices stay valid objects whose calls fail with ENODEV: for the end of a process
  /// whose other threads may still be inside a call.
  void retire();

 private:
  Host(Config config, std::vector<DeviceDescription> descriptions);

  const Config config_;
  const std::vector<DeviceDescription> descriptions_;
  std::mutex opening_;
  std::unique_ptr<Driver> driver_;  ///< once a device is open
  std::atomic<std::uint32_t> slot_{0};
};

/// The instance that the libibverbs ABI of this process uses, created on first use from the environment; it retires at
/// exit or dlclose. In a child of fork() the parent's instance is gone (its devices fail with ENODEV) and this makes
/// a new one, unless the parent had already started DPDK, which does not survive fork: then it fails and says so.
base::TextResult<Host*> process_host();

}  // namespace rocelab::runtime
