// Looks at application memory before it becomes a region: the engine copies to and from it with plain loads and stores,
// so what is not mapped must be refused here, as get_user_pages() refuses it in the kernel.
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "verbs/mr.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

namespace rocelab::verbs {

namespace {

/// Whether the kernel knows the advice at all: it says EINVAL too for memory that does not allow the access.
bool kernel_populates() {
  static const bool known = [] {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    void* probe = mmap(nullptr, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe == MAP_FAILED) return false;
    const bool populates = madvise(probe, page, MADV_POPULATE_READ) == 0;
    munmap(probe, page);
    return populates;
  }();
  return known;
}

}  // namespace

int check_memory(void* address, std::size_t length, unsigned int access) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto start = reinterpret_cast<std::uintptr_t>(address);
  if (length > UINTPTR_MAX - page - start) return EFAULT;
  const std::uintptr_t first = start & ~(page - 1);
  const std::uintptr_t end = (start + length + page - 1) & ~(page - 1);
  const bool writes = (access & (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC)) != 0;

  const int saved = errno;
  auto* pages = reinterpret_cast<void*>(first);
  int status = madvise(pages, end - first, writes ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) == 0 ? 0 : errno;
  if (status == EINVAL && !kernel_populates()) {
    // A kernel before 5.14: look only whether all of it is mapped.
    status = msync(pages, end - first, MS_ASYNC) == 0 ? 0 : errno;
  }
  errno = saved;
  if (status == 0) return 0;
  return status == EAGAIN || status == EHWPOISON ? ENOMEM : EFAULT;
}

}  // namespace rocelab::verbs
