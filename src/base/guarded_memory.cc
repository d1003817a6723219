// See guarded_memory.h. The kernel's copy between processes, used on this one: a page that is missing is brought in as
// by any access, one that can't be is reported as EFAULT. A process may always do this to itself.
#include "base/guarded_memory.h"

#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

namespace rocelab::base {
namespace {

class KeptErrno {
 public:
  KeptErrno() : value_(errno) {}
  ~KeptErrno() { errno = value_; }
  KeptErrno(const KeptErrno&) = delete;
  KeptErrno& operator=(const KeptErrno&) = delete;

 private:
  int value_;
};

bool is_nowhere(const std::byte* address) {
  constexpr std::uintptr_t kBoth = kGuardMark | kNowhereMark;
  return (reinterpret_cast<std::uintptr_t>(address) & kBoth) == kBoth;
}

void* plain(const std::byte* address) { return unguarded(const_cast<std::byte*>(address)); }

bool moved(ssize_t result, std::size_t length) { return result >= 0 && static_cast<std::size_t>(result) == length; }

bool try_all() {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* probe = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (probe == MAP_FAILED) return false;
  std::byte* address = guarded(static_cast<std::byte*>(probe));
  std::byte word[8]{};
  bool works = fault_in(address, page, false) && fault_in(address, page, true) &&
               guarded_write(address, word, sizeof word) && guarded_read(word, address, sizeof word);
  munmap(probe, page);
  return works;
}

}  // namespace

bool guarded_memory_works() {
  static const bool works = [] {
    const KeptErrno kept;
    return try_all();
  }();
  return works;
}

bool fault_in(const std::byte* address, std::size_t length, bool to_write) {
  if (length == 0 || is_nowhere(address)) return true;
  const KeptErrno kept;
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto start = reinterpret_cast<std::uintptr_t>(plain(address));
  const std::uintptr_t first = start & ~(page - 1);
  const std::uintptr_t end = (start + length + page - 1) & ~(page - 1);
  if (end <= first) return false;  // wraps
  return madvise(reinterpret_cast<void*>(first), end - first, to_write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) == 0;
}

bool guarded_read(std::byte* to, const std::byte* address, std::size_t length) {
  if (is_nowhere(address)) {
    std::memset(to, 0, length);
    return true;
  }
  const KeptErrno kept;
  const iovec local{to, length};
  const iovec remote{plain(address), length};
  return moved(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), length);
}

bool guarded_write(std::byte* address, const std::byte* from, std::size_t length) {
  if (is_nowhere(address)) return true;
  const KeptErrno kept;
  // The last word by itself, after the others: a program that polls the end of a buffer finds the rest in place.
  const std::size_t last = length > 8 ? 8 : length;
  const std::size_t body = length - last;
  const iovec local[2] = {{const_cast<std::byte*>(from), body}, {const_cast<std::byte*>(from) + body, last}};
  auto* target = static_cast<std::byte*>(plain(address));
  const iovec remote[2] = {{target, body}, {target + body, last}};
  const std::size_t skip = body == 0 ? 1 : 0;
  return moved(process_vm_writev(getpid(), local + skip, 2 - skip, remote + skip, 2 - skip, 0), length);
}

}  // namespace rocelab::base
