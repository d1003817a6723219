// What EAL calls instead of functions of its own (linked with --wrap) and of libnuma (eal.objcopy): there are no
// hugepages to place on NUMA nodes, and Debian's libnuma.a can't be linked into a shared library.
#include <rte_cycles.h>
#include <time.h>

#include <cerrno>
#include <cstdint>

extern "C" {

/// EAL would leave an empty directory behind, which only processes that share memory with it would use.
int __wrap_eal_create_runtime_dir() { return 0; }

/// EAL's own measurement sleeps for 100 ms. Nothing that we use of DPDK needs the frequency exactly.
std::uint64_t __wrap_get_tsc_freq() {
  constexpr std::int64_t kSampleNs = 1'000'000;
  const auto now_ns = [] {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return now.tv_sec * 1'000'000'000L + now.tv_nsec;
  };
  const std::int64_t begin_ns = now_ns();
  const std::uint64_t begin = rte_rdtsc();
  std::int64_t elapsed_ns = 0;
  while (elapsed_ns < kSampleNs) elapsed_ns = now_ns() - begin_ns;
  return (rte_rdtsc() - begin) * 1'000'000'000U / static_cast<std::uint64_t>(elapsed_ns);
}

int rocelab_eal_numa_available() { return -1; }
void* rocelab_eal_numa_allocate_nodemask() { return nullptr; }
void rocelab_eal_numa_bitmask_free(void*) {}
void rocelab_eal_numa_set_localalloc() {}
void rocelab_eal_numa_set_preferred(int) {}

long rocelab_eal_get_mempolicy(int*, unsigned long*, unsigned long, void*, unsigned) {
  errno = ENOSYS;
  return -1;
}

long rocelab_eal_set_mempolicy(int, const unsigned long*, unsigned long) {
  errno = ENOSYS;
  return -1;
}
}
