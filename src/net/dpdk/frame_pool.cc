// The stack as a driver of DPDK's memory pools.
#include "net/dpdk/frame_pool.h"

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <cstring>
#include <new>
#include <vector>

namespace rocelab::net::dpdk {

namespace {

constexpr const char* kOpsName = "rocelab_stack";

struct Stack {
  unsigned count = 0;
  std::vector<void*> objects;  // the first `count` are free
};

Stack& stack_of(const rte_mempool* pool) { return *static_cast<Stack*>(pool->pool_data); }

int allocate(rte_mempool* pool) {
  auto* stack = new (std::nothrow) Stack;
  if (stack == nullptr) return -ENOMEM;
  stack->objects.resize(pool->size);
  pool->pool_data = stack;
  return 0;
}

void release(rte_mempool* pool) { delete &stack_of(pool); }

int put(rte_mempool* pool, void* const* objects, unsigned count) {
  Stack& stack = stack_of(pool);
  if (stack.objects.size() - stack.count < count) return -ENOBUFS;
  for (unsigned i = 0; i < count; ++i) stack.objects[stack.count++] = objects[i];
  return 0;
}

int get(rte_mempool* pool, void** objects, unsigned count) {
  Stack& stack = stack_of(pool);
  if (stack.count < count) return -ENOBUFS;
  for (unsigned i = 0; i < count; ++i) objects[i] = stack.objects[--stack.count];
  return 0;
}

unsigned free_count(const rte_mempool* pool) { return stack_of(pool).count; }

}  // namespace

bool register_frame_pool() {
  rte_mempool_ops ops{};
  std::strncpy(ops.name, kOpsName, sizeof ops.name - 1);
  ops.alloc = allocate;
  ops.free = release;
  ops.enqueue = put;
  ops.dequeue = get;
  ops.get_count = free_count;
  return rte_mempool_register_ops(&ops) >= 0;
}

void FramePoolDeleter::operator()(rte_mempool* pool) const { rte_mempool_free(pool); }

FramePool make_frame_pool(const std::string& name, unsigned frames, std::size_t frame_bytes) {
  return FramePool(rte_pktmbuf_pool_create_by_ops(name.c_str(), frames, 0, 0,
                                                  static_cast<std::uint16_t>(frame_bytes + RTE_PKTMBUF_HEADROOM),
                                                  SOCKET_ID_ANY, kOpsName));
}

}  // namespace rocelab::net::dpdk
