// The rdma_cm device as the preload shim calls it: see exports.h.
#include "verbs/rdma_cm/exports.h"

#include "verbs/process.h"
#include "verbs/rdma_cm/agent.h"

using rocelab::verbs::Process;

extern "C" {

const rocelab_rdma_cm_calls rocelab_rdma_cm = {
    [](int flags) { return Process::instance().rdma_cm().open(flags); },
    [](int fd, const void* bytes, size_t size) { return Process::instance().rdma_cm().write(fd, bytes, size); },
    [](int fd, int copy) { Process::instance().rdma_cm().duplicated(fd, copy); },
    [](int fd) { Process::instance().rdma_cm().closing(fd); },
};
}
