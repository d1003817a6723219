// Verbs calls on protection domains, memory regions and memory windows. Ids of regions and windows are the indices of
// their keys.
#include <cerrno>

#include "rxe/device_impl.h"

namespace rocelab::rxe {

namespace {

MrInfo info_of(std::uint32_t key) { return {MrId{key >> 8}, key, key}; }

mm::RegionTable::Registration registration_of(const MrInit& init) {
  return {.pd = static_cast<std::uint32_t>(init.pd),
          .host = init.host,
          .length = init.length,
          .iova = init.iova,
          .access = init.access};
}

tl::unexpected<base::Error> no_such_pd() { return base::fail(EINVAL, "no such protection domain"); }

static_assert(Device::ReregMask::kTranslation == mm::RegionTable::kReregTranslation &&
              Device::ReregMask::kPd == mm::RegionTable::kReregPd &&
              Device::ReregMask::kAccess == mm::RegionTable::kReregAccess);

}  // namespace

Result<PdId> Device::alloc_pd() { return impl_->pds.alloc(); }
Result<void> Device::dealloc_pd(PdId pd) { return impl_->pds.dealloc(pd); }

Result<MrInfo> Device::reg_mr(const MrInit& init) {
  if (!impl_->pds.valid(init.pd)) return no_such_pd();
  const auto key = impl_->regions.register_region(registration_of(init));
  if (!key) return tl::make_unexpected(key.error());
  impl_->pds.add_user(init.pd);
  return info_of(*key);
}

Result<MrInfo> Device::alloc_mr(PdId pd, std::uint64_t length_max) {
  if (!impl_->pds.valid(pd)) return no_such_pd();
  const auto key = impl_->regions.allocate_fast(static_cast<std::uint32_t>(pd), length_max);
  if (!key) return tl::make_unexpected(key.error());
  impl_->pds.add_user(pd);
  return info_of(*key);
}

Result<MrInfo> Device::rereg_mr(MrId mr, std::uint32_t mask, const MrInit& init) {
  const mm::Region* region = impl_->regions.find_region(static_cast<std::uint32_t>(mr));
  if (region == nullptr) return base::fail(EINVAL, "no such memory region");
  const bool moves = (mask & ReregMask::kPd) != 0;
  if (moves && !impl_->pds.valid(init.pd)) return no_such_pd();
  const PdId old_pd{region->pd};
  const auto key = impl_->regions.reregister(static_cast<std::uint32_t>(mr), mask, registration_of(init));
  if (!key) return tl::make_unexpected(key.error());
  if (moves) {
    impl_->pds.remove_user(old_pd);
    impl_->pds.add_user(init.pd);
  }
  return info_of(*key);
}

Result<void> Device::dereg_mr(MrId mr) {
  const mm::Region* region = impl_->regions.find_region(static_cast<std::uint32_t>(mr));
  if (region == nullptr) return base::fail(EINVAL, "no such memory region");
  const PdId pd{region->pd};
  const auto done = impl_->regions.deregister(static_cast<std::uint32_t>(mr));
  if (done) impl_->pds.remove_user(pd);
  return done;
}

Result<MwInfo> Device::alloc_mw(PdId pd, MwType type) {
  if (!impl_->pds.valid(pd)) return no_such_pd();
  const auto key = impl_->regions.allocate_window(static_cast<std::uint32_t>(pd), static_cast<mm::WindowType>(type));
  if (!key) return tl::make_unexpected(key.error());
  impl_->pds.add_user(pd);
  return MwInfo{MwId{*key >> 8}, *key};
}

Result<void> Device::dealloc_mw(MwId mw) {
  const mm::Region* window = impl_->regions.find_window(static_cast<std::uint32_t>(mw));
  if (window == nullptr) return base::fail(EINVAL, "no such memory window");
  const PdId pd{window->pd};
  const auto done = impl_->regions.deallocate_window(static_cast<std::uint32_t>(mw));
  if (done) impl_->pds.remove_user(pd);
  return done;
}

Result<std::uint32_t> Device::next_mw_rkey(MwId mw) const {
  return impl_->regions.next_window_key(static_cast<std::uint32_t>(mw));
}

}  // namespace rocelab::rxe
