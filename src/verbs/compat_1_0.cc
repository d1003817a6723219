// The symbols of node IBVERBS_1.0: programs linked before 2008, whose structs had other layouts. All of them begin with
// ibv_get_device_list, which says on standard error that the program must be linked again and returns nothing, so the
// others, which would need what it returns, can only refuse.
#include <infiniband/verbs.h>

#include <cerrno>

#include "runtime/log.h"
#include "verbs/status.h"

// Functions that return an int.
#define ROCELAB_COMPAT_CALLS(X) \
  X(ibv_attach_mcast)           \
  X(ibv_close_device)           \
  X(ibv_dealloc_pd)             \
  X(ibv_dereg_mr)               \
  X(ibv_destroy_ah)             \
  X(ibv_destroy_cq)             \
  X(ibv_destroy_qp)             \
  X(ibv_destroy_srq)            \
  X(ibv_detach_mcast)           \
  X(ibv_get_async_event)        \
  X(ibv_get_cq_event)           \
  X(ibv_modify_qp)              \
  X(ibv_modify_srq)             \
  X(ibv_query_device)           \
  X(ibv_query_gid)              \
  X(ibv_query_pkey)             \
  X(ibv_query_port)             \
  X(ibv_query_qp)               \
  X(ibv_query_srq)              \
  X(ibv_resize_cq)

// Functions that return a pointer or a GUID, and those that return nothing.
#define ROCELAB_COMPAT_CREATORS(X) \
  X(ibv_ack_async_event)           \
  X(ibv_ack_cq_events)             \
  X(ibv_alloc_pd)                  \
  X(ibv_create_ah)                 \
  X(ibv_create_cq)                 \
  X(ibv_create_qp)                 \
  X(ibv_create_srq)                \
  X(ibv_free_device_list)          \
  X(ibv_get_device_guid)           \
  X(ibv_get_device_name)           \
  X(ibv_open_device)               \
  X(ibv_reg_mr)

extern "C" {

void rocelab_compat_accept() {}

int rocelab_compat_refuse() { return rocelab::verbs::refuse(EOPNOTSUPP); }

void* rocelab_compat_refuse_null() { return rocelab::verbs::refuse_null(EOPNOTSUPP); }

void* rocelab_compat_get_device_list(int* num) {
  rocelab::runtime::log(rocelab::runtime::LogLevel::kError,
                        "this program was linked against libibverbs 1.0, whose structs are not supported: link it "
                        "again with a library of 2008 or later");
  if (num != nullptr) *num = 0;
  return rocelab::verbs::refuse_null(EOPNOTSUPP);
}

}  // extern "C"

// Each needs its own name for the assembler before it can be versioned.
#define ROCELAB_VERSION_AS(name, implementation, node)   \
  __asm__(".globl rocelab_old_" #name                    \
          "\n"                                           \
          ".set rocelab_old_" #name ", " #implementation \
          "\n"                                           \
          ".symver rocelab_old_" #name ", " #name "@" node);
#define ROCELAB_VERSION_CALL(name) ROCELAB_VERSION_AS(name, rocelab_compat_refuse, "IBVERBS_1.0")
#define ROCELAB_VERSION_CREATOR(name) ROCELAB_VERSION_AS(name, rocelab_compat_refuse_null, "IBVERBS_1.0")

ROCELAB_COMPAT_CALLS(ROCELAB_VERSION_CALL)
ROCELAB_COMPAT_CREATORS(ROCELAB_VERSION_CREATOR)
ROCELAB_VERSION_AS(ibv_get_device_list, rocelab_compat_get_device_list, "IBVERBS_1.0")
// How drivers registered in 2007: accepted and ignored, as their successors are (private_abi.cc).
ROCELAB_VERSION_AS(ibv_register_driver, rocelab_compat_accept, "IBVERBS_1.1")
