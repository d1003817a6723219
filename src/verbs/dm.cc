// Device memory: see dm.h.
#include "verbs/dm.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "verbs/context.h"
#include "verbs/mr.h"
#include "verbs/pd.h"
#include "verbs/status.h"

namespace rocelab::verbs {

DmPages::DmPages(std::atomic<std::uint64_t>& used_bytes, std::size_t size) : used(used_bytes), length(size) {
  void* pages = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (pages != MAP_FAILED) bytes = static_cast<std::byte*>(pages);
}

DmPages::~DmPages() {
  if (bytes != nullptr) munmap(bytes, length);
  used -= length;
}

namespace {

inline constexpr std::uint64_t kCopyAlignment = 4;  ///< of offsets and lengths of copies, as adapters have it

bool covers(const DmPages& pages, std::uint64_t offset, std::uint64_t length) {
  return offset <= pages.length && length <= pages.length - offset;
}

bool may_copy(const DmPages& pages, std::uint64_t offset, std::uint64_t length) {
  return offset % kCopyAlignment == 0 && length % kCopyAlignment == 0 && covers(pages, offset, length);
}

int copy_to(ibv_dm* dm, std::uint64_t offset, const void* from, std::size_t length) {
  const DmPages& pages = *Dm::of(dm).pages;
  if (!may_copy(pages, offset, length)) return refuse(EINVAL);
  std::memcpy(pages.bytes + offset, from, length);
  return 0;
}

int copy_from(void* to, ibv_dm* dm, std::uint64_t offset, std::size_t length) {
  const DmPages& pages = *Dm::of(dm).pages;
  if (!may_copy(pages, offset, length)) return refuse(EINVAL);
  std::memcpy(to, pages.bytes + offset, length);
  return 0;
}

/// Takes the bytes from the device's account; false: there are not so many left.
bool take_bytes(std::atomic<std::uint64_t>& used, std::size_t length) {
  std::uint64_t before = used.load();
  do {
    if (length > kDeviceMemoryBytes - before) return false;
  } while (!used.compare_exchange_weak(before, before + length));
  return true;
}

Dm* make(ibv_context* context, std::shared_ptr<DmPages> pages, std::uint32_t handle) {
  Dm* dm = new (std::nothrow) Dm();
  if (dm == nullptr) return refuse_null(ENOMEM);
  dm->context = context;
  dm->memcpy_to_dm = copy_to;
  dm->memcpy_from_dm = copy_from;
  dm->handle = handle;
  dm->pages = std::move(pages);
  Context::of(context).adopt(*dm);
  return dm;
}

}  // namespace

ibv_dm* alloc_dm(ibv_context* context, ibv_alloc_dm_attr* attr) {
  if (attr == nullptr || attr->comp_mask != 0 || attr->length == 0) return refuse_null(EINVAL);
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  if (attr->log_align_req >= 64 || std::uint64_t{1} << attr->log_align_req > page) return refuse_null(EINVAL);
  std::atomic<std::uint64_t>& used = Context::of(context).device.device_memory_used;
  if (attr->length > kDeviceMemoryBytes || !take_bytes(used, attr->length)) return refuse_null(ENOMEM);
  auto pages = std::make_shared<DmPages>(used, attr->length);
  if (pages->bytes == nullptr) return refuse_null(ENOMEM);
  static std::atomic<std::uint32_t> next_handle{1};
  return make(context, std::move(pages), next_handle++);
}

ibv_dm* import_dm(ibv_context* context, std::shared_ptr<DmPages> pages, std::uint32_t handle) {
  Dm* dm = make(context, std::move(pages), handle);
  if (dm != nullptr) dm->imported = true;
  return dm;
}

int free_dm(ibv_dm* dm) {
  if (dm == nullptr) return refuse(EINVAL);
  Dm& ours = Dm::of(dm);
  if (!ours.imported && ours.pages->regions != 0) return refuse(EBUSY);
  Context::of(dm->context).release(ours);
  delete &ours;
  return 0;
}

ibv_mr* reg_dm_mr(ibv_pd* pd, ibv_dm* dm, std::uint64_t offset, std::size_t length, unsigned int access) {
  if (pd == nullptr || dm == nullptr) return refuse_null(EINVAL);
  constexpr unsigned int kKnown = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ |
                                  IBV_ACCESS_REMOTE_ATOMIC | IBV_ACCESS_ZERO_BASED | IBV_ACCESS_OPTIONAL_RANGE;
  if ((access & IBV_ACCESS_ZERO_BASED) == 0 || (access & ~kKnown) != 0) return refuse_null(EINVAL);
  access &= ~static_cast<unsigned int>(IBV_ACCESS_OPTIONAL_RANGE);  // nothing optional makes a difference here
  const std::shared_ptr<DmPages>& pages = Dm::of(dm).pages;
  if (!covers(*pages, offset, length)) return refuse_null(EINVAL);
  ++pages->regions;
  std::shared_ptr<void> registered(pages->bytes, [pages](void*) { --pages->regions; });
  return register_backed(pd, pages->bytes + offset, length, 0, access, std::move(registered));
}

}  // namespace rocelab::verbs
