// See host.h.
#include "runtime/host.h"

#include <fmt/format.h>

#include <utility>

#include "runtime/driver.h"
#include "runtime/identity.h"
#include "runtime/log.h"
#include "runtime/run_directory.h"

namespace rocelab::runtime {

base::TextResult<std::unique_ptr<Host>> Host::create(Config config) {
  set_log_level(config.log);
  // Looked at (and made) now, so that a wrong one is reported by whoever configured it and not at the first device.
  if (auto directory = RunDirectory::open(config.run_dir); !directory) return base::fail_text(directory.error());
  auto descriptions = describe_devices(config, machine_id());
  if (!descriptions) return base::fail_text(descriptions.error());
  return std::unique_ptr<Host>(new Host(std::move(config), std::move(*descriptions)));
}

Host::Host(Config config, std::vector<DeviceDescription> descriptions)
    : config_(std::move(config)), descriptions_(std::move(descriptions)) {}

Host::~Host() {
  // In a child of fork() the driver's thread and locks are those of the parent: nothing there can be taken down.
  if (driver_ != nullptr && driver_->abandoned()) static_cast<void>(driver_.release());
}

base::TextResult<LocalDevice*> Host::open_device(std::size_t index) {
  if (index >= descriptions_.size()) {
    return base::fail_text(fmt::format("device {}: there are {} devices", index, descriptions_.size()));
  }
  const std::lock_guard guard(opening_);
  if (driver_ == nullptr) {
    auto driver = Driver::create(config_, descriptions_);
    if (!driver) return base::fail_text(driver.error());
    driver_ = std::move(*driver);
    slot_.store(driver_->slot());
  }
  return driver_->open(descriptions_[index]);
}

std::uint32_t Host::slot() const { return slot_.load(); }

void Host::retire() {
  const std::lock_guard guard(opening_);
  if (driver_ != nullptr && !driver_->abandoned()) driver_->retire();
}

}  // namespace rocelab::runtime
