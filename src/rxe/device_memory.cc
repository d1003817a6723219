// Verbs calls on protection domains, memory regions and memory windows. Ids of regions and windows are the indices of
// their keys.
#include <cerrno>

#include "rxe/device_impl.h"
#include "rxe/quota.h"

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

/// What the kernel would pin of a region, in whole pages: nothing of memory reached on demand, or elided.
std::uint64_t pinned_bytes(const std::byte* host, std::uint64_t length, std::uint32_t rights) {
  constexpr std::uint64_t kPage = 4096;
  if (host == nullptr || length == 0 || (rights & access::kOnDemand) != 0) return 0;
  const std::uint64_t within = reinterpret_cast<std::uint64_t>(host) % kPage;
  return (within + length + kPage - 1) / kPage * kPage;
}

tl::unexpected<base::Error> no_such_pd() { return base::fail(EINVAL, "no such protection domain"); }

static_assert(Device::ReregMask::kTranslation == mm::RegionTable::kReregTranslation &&
              Device::ReregMask::kPd == mm::RegionTable::kReregPd &&
              Device::ReregMask::kAccess == mm::RegionTable::kReregAccess);

}  // namespace

Result<PdId> Device::alloc_pd() {
  Charge charge(impl_->options.quota);
  if (const auto charged = charge.take(Resource::kPd); !charged) return tl::make_unexpected(charged.error());
  const auto pd = impl_->pds.alloc();
  if (pd) charge.keep();
  return pd;
}

Result<void> Device::dealloc_pd(PdId pd) {
  const auto done = impl_->pds.dealloc(pd);
  if (done) give_back(impl_->options.quota, Resource::kPd);
  return done;
}

Result<MrInfo> Device::reg_mr(const MrInit& init) {
  if (!impl_->pds.valid(init.pd)) return no_such_pd();
  Charge charge(impl_->options.quota);
  if (const auto charged = charge.take(Resource::kMr); !charged) return tl::make_unexpected(charged.error());
  if (const auto charged = charge.take(Resource::kRegisteredBytes, pinned_bytes(init.host, init.length, init.access));
      !charged) {
    return tl::make_unexpected(charged.error());
  }
  const auto key = impl_->regions.register_region(registration_of(init));
  if (!key) return tl::make_unexpected(key.error());
  charge.keep();
  impl_->pds.add_user(init.pd);
  return info_of(*key);
}

Result<MrInfo> Device::alloc_mr(PdId pd, std::uint64_t length_max) {
  if (!impl_->pds.valid(pd)) return no_such_pd();
  Charge charge(impl_->options.quota);
  if (const auto charged = charge.take(Resource::kMr); !charged) return tl::make_unexpected(charged.error());
  const auto key = impl_->regions.allocate_fast(static_cast<std::uint32_t>(pd), length_max);
  if (!key) return tl::make_unexpected(key.error());
  charge.keep();
  impl_->pds.add_user(pd);
  return info_of(*key);
}

Result<MrInfo> Device::rereg_mr(MrId mr, std::uint32_t mask, const MrInit& init) {
  const mm::Region* region = impl_->regions.find_region(static_cast<std::uint32_t>(mr));
  if (region == nullptr) return base::fail(EINVAL, "no such memory region");
  const bool moves = (mask & ReregMask::kPd) != 0;
  if (moves && !impl_->pds.valid(init.pd)) return no_such_pd();
  const PdId old_pd{region->pd};
  // The new memory is taken before the old is given back, as the kernel pins it.
  const bool translates = (mask & ReregMask::kTranslation) != 0;
  const std::uint32_t rights = (mask & ReregMask::kAccess) != 0 ? init.access : region->access;
  const std::uint64_t before = pinned_bytes(region->host, region->length, region->access);
  const std::uint64_t after =
      translates ? pinned_bytes(init.host, init.length, rights) : pinned_bytes(region->host, region->length, rights);
  Charge charge(impl_->options.quota);
  if (translates || before != after) {
    const auto charged = charge.take(Resource::kRegisteredBytes, after);
    if (!charged) return tl::make_unexpected(charged.error());
  }
  const auto key = impl_->regions.reregister(static_cast<std::uint32_t>(mr), mask, registration_of(init));
  if (!key) return tl::make_unexpected(key.error());
  if (translates || before != after) {
    charge.keep();
    give_back(impl_->options.quota, Resource::kRegisteredBytes, before);
  }
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
  const bool pinned = region->kind == mm::RegionKind::kPinned;
  const std::uint64_t bytes = pinned ? pinned_bytes(region->host, region->length, region->access) : 0;
  const auto done = impl_->regions.deregister(static_cast<std::uint32_t>(mr));
  if (!done) return done;
  impl_->pds.remove_user(pd);
  give_back(impl_->options.quota, Resource::kMr);
  give_back(impl_->options.quota, Resource::kRegisteredBytes, bytes);
  return done;
}

Result<MwInfo> Device::alloc_mw(PdId pd, MwType type) {
  if (!impl_->pds.valid(pd)) return no_such_pd();
  Charge charge(impl_->options.quota);
  if (const auto charged = charge.take(Resource::kMw); !charged) return tl::make_unexpected(charged.error());
  const auto key = impl_->regions.allocate_window(static_cast<std::uint32_t>(pd), static_cast<mm::WindowType>(type));
  if (!key) return tl::make_unexpected(key.error());
  charge.keep();
  impl_->pds.add_user(pd);
  return MwInfo{MwId{*key >> 8}, *key};
}

Result<void> Device::dealloc_mw(MwId mw) {
  const mm::Region* window = impl_->regions.find_window(static_cast<std::uint32_t>(mw));
  if (window == nullptr) return base::fail(EINVAL, "no such memory window");
  const PdId pd{window->pd};
  const auto done = impl_->regions.deallocate_window(static_cast<std::uint32_t>(mw));
  if (!done) return done;
  impl_->pds.remove_user(pd);
  give_back(impl_->options.quota, Resource::kMw);
  return done;
}

Result<std::uint32_t> Device::next_mw_rkey(MwId mw) const {
  return impl_->regions.next_window_key(static_cast<std::uint32_t>(mw));
}

}  // namespace rocelab::rxe
