// Devices: see device.h. Fills the public struct as sysfs would, and routes the engine's events.
#include "verbs/device.h"

#include <algorithm>
#include <string>

#include "verbs/async_event.h"
#include "verbs/context.h"
#include "verbs/cq.h"

namespace rocelab::verbs {
namespace {

template <std::size_t kSize>
void copy_text(char (&to)[kSize], const std::string& text) {
  const std::size_t length = std::min(text.size(), kSize - 1);
  std::copy_n(text.data(), length, to);
  to[length] = '\0';
}

}  // namespace

Device::Device(DeviceOpener& opener, const rxe::DeviceDescription& description)
    : ibv_device{}, opener_(opener), description_(description) {
  node_type = IBV_NODE_CA;
  transport_type = IBV_TRANSPORT_IB;
  const std::string uverbs = "uverbs" + std::to_string(description.index);
  copy_text(ibv_device::name, description.name);
  copy_text(dev_name, uverbs);
  copy_text(dev_path, "/sys/class/infiniband_verbs/" + uverbs);
  copy_text(ibdev_path, "/sys/class/infiniband/" + description.name);
}

base::TextResult<rxe::VerbsDevice*> Device::open() {
  const std::lock_guard<std::mutex> lock(opening_);
  if (rxe::VerbsDevice* device = local()) return device;
  const base::TextResult<rxe::VerbsDevice*> opened = opener_.open(description_.index);
  if (!opened) return base::fail_text(opened.error());
  (*opened)->set_event_handler(&events_);
  limits_ = (*opened)->limits();
  local_.store(*opened, std::memory_order_release);
  return *opened;
}

void Device::add_context(Context& context) {
  const std::lock_guard<std::mutex> lock(contexts_mutex_);
  contexts_.push_front(context);
}

void Device::remove_context(Context& context) {
  const std::lock_guard<std::mutex> lock(contexts_mutex_);
  contexts_.remove(context);
}

Context* Device::next_of(Context& context) { return context.Linked<Context>::next; }

void Device::switch_off() {
  rxe::VerbsDevice* device = local_.exchange(nullptr, std::memory_order_acq_rel);
  if (device != nullptr && device->usable()) device->set_event_handler(nullptr);
}

void Device::abandon() { local_.store(nullptr, std::memory_order_release); }

void Device::Events::on_event(const rxe::Event& event) noexcept {
  ibv_async_event out{};
  out.event_type = static_cast<ibv_event_type>(event.type);
  switch (event.type) {
    case rxe::EventType::kCompletion: {
      Cq& cq = *static_cast<Cq*>(event.user);
      if (cq.channel != nullptr) Channel::of(cq.channel).push(cq);
      return;
    }
    case rxe::EventType::kCqErr: {
      Cq& cq = *static_cast<Cq*>(event.user);
      out.element.cq = cq.base();
      Context::of(cq.context).async.push(out);
      return;
    }
    case rxe::EventType::kQpFatal:
    case rxe::EventType::kQpReqErr:
    case rxe::EventType::kQpAccessErr:
    case rxe::EventType::kCommEst:
    case rxe::EventType::kSqDrained:
    case rxe::EventType::kQpLastWqeReached:
      out.element.qp = static_cast<ibv_qp*>(event.user);
      Context::of(out.element.qp->context).async.push(out);
      return;
    case rxe::EventType::kSrqErr:
    case rxe::EventType::kSrqLimitReached:
      out.element.srq = static_cast<ibv_srq*>(event.user);
      Context::of(out.element.srq->context).async.push(out);
      return;
    case rxe::EventType::kPortActive:
    case rxe::EventType::kPortErr:
    case rxe::EventType::kGidChange:
      break;
  }
  if (event.type != rxe::EventType::kGidChange) {
    device_.port_up_.store(event.type == rxe::EventType::kPortActive, std::memory_order_relaxed);
  }
  out.element.port_num = 1;
  const std::lock_guard<std::mutex> lock(device_.contexts_mutex_);
  for (Context* context = device_.contexts_.front(); context != nullptr; context = context->Linked<Context>::next) {
    context->async.push(out);
  }
}

}  // namespace rocelab::verbs
