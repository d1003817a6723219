// Regions over DMA buffers: memory of another device, or of the kernel's udmabuf, named by a descriptor. The engine
// copies with the processor, so a buffer that its exporter lets processes map can be registered, and no other.
#include <infiniband/verbs.h>
#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>

#include "verbs/mr.h"
#include "verbs/status.h"

namespace rocelab::verbs {
namespace {

inline constexpr long kDmaBufMagic = 0x444d'4142;  ///< f_type of the kernel's file system of DMA buffers

/// A mapped buffer; the processor's access to it begins and ends with the mapping.
struct Mapping {
  ~Mapping() {
    if (bytes != nullptr) munmap(bytes, length);
    if (file >= 0) {
      sync(DMA_BUF_SYNC_END);
      close(file);
    }
  }
  void sync(std::uint64_t which) const {
    dma_buf_sync request{which | DMA_BUF_SYNC_RW};
    while (ioctl(file, DMA_BUF_IOCTL_SYNC, &request) != 0 && errno == EINTR) {
    }
  }
  int file = -1;
  void* bytes = nullptr;
  std::size_t length = 0;
};

/// 0, or why the buffer can't be used.
int map_buffer(Mapping& mapping, int file, std::uint64_t first, std::size_t length, bool writes) {
  struct statfs about {};
  if (fstatfs(file, &about) != 0) return errno;
  if (about.f_type != kDmaBufMagic) return EINVAL;
  const off_t size = lseek(file, 0, SEEK_END);
  if (size >= 0 && (first > static_cast<std::uint64_t>(size) || length > static_cast<std::uint64_t>(size) - first)) {
    return EINVAL;
  }
  mapping.file = dup(file);  // the application may close its own
  if (mapping.file < 0) return errno;
  void* bytes = mmap(nullptr, length, writes ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, mapping.file,
                     static_cast<off_t>(first));
  if (bytes == MAP_FAILED) return errno;
  mapping.bytes = bytes;
  mapping.length = length;
  mapping.sync(DMA_BUF_SYNC_START);
  return 0;
}

}  // namespace
}  // namespace rocelab::verbs

using namespace rocelab;

// NCCL asks with a descriptor of -1 whether memory of graphics cards can be registered: no, that can't be counted on.
ibv_mr* ibv_reg_dmabuf_mr(ibv_pd* pd, uint64_t offset, size_t length, uint64_t iova, int fd, int access) {
  if (fd < 0) return verbs::refuse_null(EOPNOTSUPP);
  auto bits = static_cast<unsigned int>(access);
  if (pd == nullptr || length == 0 || (bits & (IBV_ACCESS_ON_DEMAND | IBV_ACCESS_HUGETLB)) != 0) {
    return verbs::refuse_null(EINVAL);
  }
  if (const int code = verbs::check_access(bits)) return verbs::refuse_null(code);
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  const std::uint64_t first = offset & ~(page - 1);
  const std::uint64_t skip = offset - first;
  if (length > SIZE_MAX - skip) return verbs::refuse_null(EINVAL);
  const auto mapping = std::make_shared<verbs::Mapping>();
  const bool writes = (bits & (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC)) != 0;
  if (const int code = verbs::map_buffer(*mapping, fd, first, length + skip, writes)) return verbs::refuse_null(code);
  return verbs::register_backed(pd, static_cast<std::byte*>(mapping->bytes) + skip, length, iova, bits, mapping);
}
