// Device memory: bytes that belong to the device and not to the program's address space as ibv_reg_mr sees it; reached
// by copies, and by requests through a zero-based region. Here they are shared anonymous pages of this process, so that
// a child of fork() sees the same bytes, as it would those of hardware. Owned by the application from ibv_alloc_dm to
// ibv_free_dm.
#pragma once

#include <infiniband/verbs.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "verbs/linked_list.h"

namespace rocelab::verbs {

inline constexpr std::uint64_t kDeviceMemoryBytes = 1u << 20;  ///< of a device, in each process

/// The pages. Shared by the object of ibv_alloc_dm, its imports and its regions.
struct DmPages {
  DmPages(std::atomic<std::uint64_t>& used_bytes, std::size_t size);
  ~DmPages();
  DmPages(const DmPages&) = delete;
  DmPages& operator=(const DmPages&) = delete;

  std::atomic<std::uint64_t>& used;  ///< of the device
  const std::size_t length;
  std::byte* bytes = nullptr;        ///< nullptr: no memory
  std::atomic<unsigned> regions{0};  ///< registered on it
};

struct Dm : ibv_dm, Linked<Dm> {
  static Dm& of(ibv_dm* dm) { return *static_cast<Dm*>(dm); }
  std::shared_ptr<DmPages> pages;
  bool imported = false;
};

ibv_dm* alloc_dm(ibv_context* context, ibv_alloc_dm_attr* attr);
int free_dm(ibv_dm* dm);
ibv_mr* reg_dm_mr(ibv_pd* pd, ibv_dm* dm, std::uint64_t offset, std::size_t length, unsigned int access);
/// Another object for the same pages, in another context; nullptr: no memory.
ibv_dm* import_dm(ibv_context* context, std::shared_ptr<DmPages> pages, std::uint32_t handle);

}  // namespace rocelab::verbs
