// XRC domains: see xrcd.h.
#include "verbs/xrcd.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <new>

#include "verbs/context.h"
#include "verbs/status.h"

namespace rocelab::verbs {

base::Result<rxe::XrcdId> XrcDomains::open(rxe::VerbsDevice& device, int fd, int flags) {
  const auto create = [&] {
    return device.with_engine([](rxe::Device& engine, base::TimePoint) { return engine.alloc_xrcd(); });
  };
  if (fd == -1) return create();
  struct stat file {};
  if (fstat(fd, &file) != 0) return base::fail(EBADF, "the file that names the domain is not open");
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = std::find_if(shared_.begin(), shared_.end(), [&](const Shared& each) {
    return each.device == file.st_dev && each.inode == file.st_ino;
  });
  if (found != shared_.end()) {
    if ((flags & O_EXCL) != 0) return base::fail(EINVAL, "the domain is open already");
    ++found->handles;
    return found->id;
  }
  if ((flags & O_CREAT) == 0) return base::fail(EAGAIN, "nobody has opened this domain");
  const auto id = create();
  if (id) shared_.push_back({file.st_dev, file.st_ino, *id, 1});
  return id;
}

base::Result<void> XrcDomains::close(rxe::VerbsDevice& device, rxe::XrcdId id) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = std::find_if(shared_.begin(), shared_.end(), [&](const Shared& each) { return each.id == id; });
  if (found != shared_.end() && found->handles > 1) {
    --found->handles;
    return {};
  }
  const auto gone = device.with_engine([&](rxe::Device& engine, base::TimePoint) { return engine.dealloc_xrcd(id); });
  if (gone && found != shared_.end()) shared_.erase(found);
  return gone;
}

ibv_xrcd* open_xrcd(ibv_context* context, ibv_xrcd_init_attr* attr) {
  constexpr std::uint32_t kNeeded = IBV_XRCD_INIT_ATTR_FD | IBV_XRCD_INIT_ATTR_OFLAGS;
  if (attr == nullptr) return refuse_null(EINVAL);
  if (attr->comp_mask & ~kNeeded) return refuse_null(EOPNOTSUPP);
  if ((attr->comp_mask & kNeeded) != kNeeded) return refuse_null(EINVAL);
  Context& owner = Context::of(context);
  if (owner.local() == nullptr) return refuse_null(ENODEV);
  std::unique_ptr<Xrcd> xrcd(new (std::nothrow) Xrcd());
  if (!xrcd) return refuse_null(ENOMEM);
  const auto id = owner.device.xrc_domains().open(*owner.local(), attr->fd, attr->oflags);
  if (!id) return refuse_null(id.error().code);
  xrcd->context = context;
  xrcd->id = *id;
  owner.adopt(*xrcd);
  return xrcd.release();
}

int close_xrcd(ibv_xrcd* xrcd) {
  Xrcd& ours = Xrcd::of(xrcd);
  Context& owner = Context::of(xrcd->context);
  if (owner.local() == nullptr) return refuse(ENODEV);
  const int status = status_of(owner.device.xrc_domains().close(*owner.local(), ours.id));
  if (status != 0) return status;
  owner.release(ours);
  delete &ours;
  return 0;
}

}  // namespace rocelab::verbs
