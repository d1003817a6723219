// An ibv_device: the public struct, the runtime's device behind it once opened, and the contexts to which its events
// go. Owned by Process, lives as long as the process (applications keep the pointers beyond ibv_free_device_list).
// Thread-safe.
#pragma once

#include <infiniband/verbs.h>

#include <array>
#include <atomic>
#include <mutex>

#include "base/result.h"
#include "rxe/verbs_device.h"
#include "verbs/device_opener.h"
#include "verbs/linked_list.h"
#include "verbs/xrcd.h"

namespace rocelab::verbs {

struct Context;

class Device : public ibv_device {
 public:
  /// `opener` outlives the device.
  Device(DeviceOpener& opener, const rxe::DeviceDescription& description);
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  static Device& of(ibv_device* device) { return *static_cast<Device*>(device); }

  const rxe::DeviceDescription& description() const { return description_; }
  /// nullptr before the first open and once the device is switched off: calls then fail with ENODEV.
  rxe::VerbsDevice* local() const { return local_.load(std::memory_order_acquire); }
  /// Of a device that has been opened; they outlive it (in a child of fork()).
  const rxe::DeviceAttr& limits() const { return limits_; }
  bool port_up() const { return port_up_.load(std::memory_order_relaxed); }

  /// Opens the runtime's device if this is the first context.
  base::TextResult<rxe::VerbsDevice*> open();
  XrcDomains& xrc_domains() { return xrc_domains_; }
  void add_context(Context& context);
  void remove_context(Context& context);

  /// The first context that `matches`, held by no lock afterwards; nullptr: none.
  template <class F>
  Context* find_context(F&& matches) {
    const std::lock_guard<std::mutex> lock(contexts_mutex_);
    Context* context = contexts_.front();
    while (context != nullptr && !matches(*context)) context = next_of(*context);
    return context;
  }

  std::atomic<std::uint64_t> device_memory_used{0};  ///< bytes (dm.h)

  void switch_off();  ///< at exit: the runtime's device goes away
  void abandon();     ///< in a child of fork(): it is the parent's; touches no lock

 private:
  static Context* next_of(Context& context);

  /// Turns the engine's events into those of channels and contexts. Runs under the engine lock.
  class Events final : public rxe::EventHandler {
   public:
    explicit Events(Device& device) : device_(device) {}
    void on_event(const rxe::Event& event) noexcept override;

   private:
    Device& device_;
  };

  /// Where libmlx5 and its like look, behind the ibv_device, for the operations of their own devices
  /// (mlx5dv_is_supported and others compare a pointer): zeros, so that they see that it is not theirs. Must stay the
  /// first member.
  [[maybe_unused]] const std::array<void*, 8> provider_area_{};

  DeviceOpener& opener_;
  const rxe::DeviceDescription description_;
  std::atomic<rxe::VerbsDevice*> local_{nullptr};
  rxe::DeviceAttr limits_;
  std::atomic<bool> port_up_{true};
  Events events_{*this};
  std::mutex opening_;
  std::mutex contexts_mutex_;  ///< taken under the engine lock by events: hold it for a moment only
  LinkedList<Context> contexts_;
  XrcDomains xrc_domains_;
};

}  // namespace rocelab::verbs
