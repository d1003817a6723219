// XRC domains. A domain opened with a file is shared by all who open it with the same file (inode) on the device,
// within this process; one opened with fd -1 is its opener's alone. The handle is owned by the application.
#pragma once

#include <infiniband/verbs.h>
#include <sys/types.h>

#include <cstdint>
#include <mutex>
#include <vector>

#include "base/result.h"
#include "rxe/verbs_device.h"
#include "verbs/linked_list.h"

namespace rocelab::verbs {

struct Xrcd : ibv_xrcd, Linked<Xrcd> {
  static Xrcd& of(ibv_xrcd* xrcd) { return *static_cast<Xrcd*>(xrcd); }
  rxe::XrcdId id{};
};

/// The shared domains of a device, by file. Thread-safe.
class XrcDomains {
 public:
  /// `fd` -1: a domain that nobody shares. `flags`: O_CREAT and O_EXCL as open(2) takes them. EBADF: no such file;
  /// EAGAIN: nobody has the domain open and O_CREAT is not given; EINVAL: O_EXCL, and somebody has.
  base::Result<rxe::XrcdId> open(rxe::VerbsDevice& device, int fd, int flags);
  /// EBUSY while QPs or shared receive queues live in it and this is the last handle.
  base::Result<void> close(rxe::VerbsDevice& device, rxe::XrcdId id);

 private:
  struct Shared {
    dev_t device;
    ino_t inode;
    rxe::XrcdId id;
    std::uint32_t handles;
  };
  std::mutex mutex_;  ///< taken before the engine's lock
  std::vector<Shared> shared_;
};

ibv_xrcd* open_xrcd(ibv_context* context, ibv_xrcd_init_attr* attr);
int close_xrcd(ibv_xrcd* xrcd);

}  // namespace rocelab::verbs
