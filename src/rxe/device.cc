// The device's life, its getters and tables.
#include "rxe/device.h"

#include "rxe/device_impl.h"

namespace rocelab::rxe {

Device::Device(const DeviceOptions& options) : impl_(std::make_unique<Impl>(options)) {}
Device::~Device() = default;

Result<void> Device::set_gid(std::size_t index, const GidEntry& entry) {
  const auto set = impl_->gids.set(index, entry);
  if (set) impl_->events.push(EventType::kGidChange, nullptr);
  return set;
}

Result<GidEntry> Device::gid(std::size_t index) const { return impl_->gids.get(index); }
const DeviceOptions& Device::options() const { return impl_->options; }
const Counters& Device::counters() const { return impl_->counters; }

std::optional<Event> Device::poll_event() { return impl_->events.pop(); }

void Device::handle_port_state(TimePoint, bool up) {
  Engine& engine = *impl_;
  if (engine.port_up == up) return;
  engine.port_up = up;
  if (!up) ++engine.counters.link_downed;
  engine.events.push(up ? EventType::kPortActive : EventType::kPortErr, nullptr);
}

}  // namespace rocelab::rxe
