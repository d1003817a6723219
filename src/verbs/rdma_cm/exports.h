// What the preload shim (plain C) finds in our libibverbs.so.1 under the name `rocelab_rdma_cm`: the calls by which it
// serves /dev/infiniband/rdma_cm. Both are of one build, so nothing here has to last.
#pragma once

#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Results: negative errno values for failures. Thread-safe.
struct rocelab_rdma_cm_calls {
  int (*open)(int flags);  ///< a new descriptor
  ssize_t (*write)(int fd, const void* bytes, size_t size);
  void (*duplicated)(int fd, int copy);
  void (*closing)(int fd);  ///< the caller closes it afterwards
};

extern const struct rocelab_rdma_cm_calls rocelab_rdma_cm;

#ifdef __cplusplus
}
#endif
