// Memory windows of both types: allocation, binding, unbinding (IBTA vol 1, 10.6.7; the checks are those of Linux rxe's
// rxe_mw.c). A type 1 window is valid from its allocation, covering nothing, and is rebound at will; a type 2 window is
// bound once and must be invalidated before it is bound again.
#include <cerrno>

#include "mm/region_table.h"

namespace rocelab::mm {

base::Result<std::uint32_t> RegionTable::allocate_window(std::uint32_t pd, WindowType type) {
  if (type != WindowType::k1 && type != WindowType::k2) return base::fail(EINVAL, "memory windows are of type 1 or 2");
  const auto id = take_slot(type == WindowType::k1 ? RegionKind::kWindow1 : RegionKind::kWindow2);
  if (!id) return id;
  slots_[*id].pd = pd;
  return slots_[*id].key;
}

base::Result<void> RegionTable::deallocate_window(std::uint32_t id) {
  if (find_window(id) == nullptr) return base::fail(EINVAL, "no such memory window");
  unbind(slots_[id]);
  give_back(id);
  return {};
}

base::Result<std::uint32_t> RegionTable::next_window_key(std::uint32_t id) const {
  const Region* window = find_window(id);
  if (window == nullptr) return base::fail(EINVAL, "no such memory window");
  return next_variant(window->key);
}

AccessFault RegionTable::check_bind(const Binding& binding, const Region& window) const {
  if (!window.is_window()) return AccessFault::kWrongKind;
  if (binding.key >> 8 != window.key >> 8) return AccessFault::kUnknownKey;
  if (window.pd != binding.pd) return AccessFault::kWrongPd;
  const bool type2 = window.kind == RegionKind::kWindow2;
  if (type2 && window.state == RegionState::kValid) return AccessFault::kBusy;
  // A binding must give a key that the holders of the previous one do not have.
  if (binding.key == window.key) return AccessFault::kUnknownKey;
  // Local write is no right of a window; programs pass it along with the remote ones, and Linux takes it.
  if ((binding.access & ~(access::kRemote | access::kZeroBased | access::kLocalWrite)) != 0) {
    return AccessFault::kNoRight;
  }
  if (!type2 && (binding.access & access::kZeroBased) != 0) return AccessFault::kWrongKind;
  if (binding.length == 0) return type2 ? AccessFault::kOutOfRange : AccessFault::kNone;

  const Region* region = find_region(binding.region);
  if (region == nullptr) return AccessFault::kUnknownKey;
  if (region->pd != binding.pd) return AccessFault::kWrongPd;
  if (region->state != RegionState::kValid) return AccessFault::kNotValid;
  if ((region->access & access::kZeroBased) != 0) return AccessFault::kWrongKind;
  if ((region->access & access::kMwBind) == 0) return AccessFault::kNoRight;
  if ((binding.access & (access::kRemoteWrite | access::kRemoteAtomic)) != 0 &&
      (region->access & access::kLocalWrite) == 0) {
    return AccessFault::kNoRight;
  }
  return region->covers(binding.addr, binding.length) ? AccessFault::kNone : AccessFault::kOutOfRange;
}

AccessFault RegionTable::bind(const Binding& binding) {
  Region* window = mutable_slot(binding.window);
  if (window == nullptr) return AccessFault::kUnknownKey;
  if (const AccessFault fault = check_bind(binding, *window); fault != AccessFault::kNone) return fault;

  unbind(*window);
  window->key = binding.key;
  if (binding.length == 0) return AccessFault::kNone;
  Region& region = slots_[binding.region];
  ++region.windows;
  window->parent = binding.region;
  window->host = region.translate(binding.addr);
  window->iova = (binding.access & access::kZeroBased) != 0 ? 0 : binding.addr;
  window->length = binding.length;
  window->access = binding.access & ~access::kLocalWrite;
  window->state = RegionState::kValid;
  if (window->kind == RegionKind::kWindow2) {
    window->qpn = binding.qpn;
    ++bound_to_qp_;
  }
  return AccessFault::kNone;
}

void RegionTable::unbind(Region& window) {
  if (window.state != RegionState::kValid) return;
  ++generation_;
  --slots_[window.parent].windows;
  if (window.kind == RegionKind::kWindow2) --bound_to_qp_;
  window.parent = 0;
  window.host = nullptr;
  window.iova = window.length = 0;
  window.access = 0;
  window.qpn = Region::kAnyQp;
  window.state = RegionState::kFree;
}

void RegionTable::release_qp(std::uint32_t qpn) {
  for (std::size_t id = 1; bound_to_qp_ != 0 && id < slots_.size(); ++id) {
    Region& window = slots_[id];
    if (window.kind == RegionKind::kWindow2 && window.state == RegionState::kValid && window.qpn == qpn) unbind(window);
  }
}

}  // namespace rocelab::mm
