// See responder_resources.h.
#include "rxe/responder_resources.h"

#include <algorithm>

namespace rocelab::rxe {

ResponderResource& ResponderResources::push() {
  if (ring_.empty()) ring_.resize(capacity_);
  if (count_ == ring_.size()) {  // replaces the oldest
    if (ring_[head_].active) finish_first();
    head_ = head_ + 1 == ring_.size() ? 0 : head_ + 1;
    if (active_ != 0) --first_active_;
    --count_;
  }
  if (active_ == 0) first_active_ = count_;
  ResponderResource& resource = entry(count_);
  ++count_;
  ++active_;
  resource.active = true;
  resource.answered = false;
  return resource;
}

ResponderResource* ResponderResources::find(wire::Psn psn) {
  // The newest first: PSNs come round again after 2^24.
  for (std::size_t i = count_; i-- > 0;) {
    ResponderResource& resource = entry(i);
    const std::uint32_t offset = (psn.value() - resource.first_psn.value()) & wire::Psn::kMask;
    if (offset < resource.packet_count) return &resource;
  }
  return nullptr;
}

void ResponderResources::activate(ResponderResource& resource) {
  const auto position = static_cast<std::size_t>(&resource - ring_.data());
  const std::size_t index = position >= head_ ? position - head_ : position + ring_.size() - head_;
  if (!resource.active) {
    resource.active = true;
    ++active_;
    first_active_ = active_ == 1 ? index : std::min(first_active_, index);
  }
}

void ResponderResources::finish_first() {
  entry(first_active_).active = false;
  entry(first_active_).answered = true;
  if (--active_ == 0) return;
  while (!entry(first_active_).active) ++first_active_;
}

}  // namespace rocelab::rxe
