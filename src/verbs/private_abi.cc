// The private part of libibverbs' ABI (node IBVERBS_PRIVATE_34 of the distributions' libraries), so that the provider
// libraries which applications link to (libmlx5, libmlx4, libefa, ...) can be loaded. Registering a driver is accepted
// and ignored; the commands that a driver would send to the kernel refuse with EOPNOTSUPP, all from the tables below.
// ibv_query_gid_type, which ibv_devinfo and pyverbs use, is real: gid.cc.
#include <infiniband/verbs.h>

#include <cerrno>
#include <cstdint>

#include "verbs/status.h"

// Functions of the private ABI that return an errno value. Their arguments differ and are not looked at.
#define ROCELAB_PRIVATE_COMMANDS(X) \
  X(execute_ioctl)                  \
  X(ibv_cmd_advise_mr)              \
  X(ibv_cmd_alloc_dm)               \
  X(ibv_cmd_alloc_mw)               \
  X(ibv_cmd_alloc_pd)               \
  X(ibv_cmd_attach_mcast)           \
  X(ibv_cmd_close_xrcd)             \
  X(ibv_cmd_create_ah)              \
  X(ibv_cmd_create_counters)        \
  X(ibv_cmd_create_cq)              \
  X(ibv_cmd_create_cq_ex)           \
  X(ibv_cmd_create_flow)            \
  X(ibv_cmd_create_flow_action_esp) \
  X(ibv_cmd_create_qp)              \
  X(ibv_cmd_create_qp_ex)           \
  X(ibv_cmd_create_qp_ex2)          \
  X(ibv_cmd_create_rwq_ind_table)   \
  X(ibv_cmd_create_srq)             \
  X(ibv_cmd_create_srq_ex)          \
  X(ibv_cmd_create_wq)              \
  X(ibv_cmd_dealloc_mw)             \
  X(ibv_cmd_dealloc_pd)             \
  X(ibv_cmd_dereg_mr)               \
  X(ibv_cmd_destroy_ah)             \
  X(ibv_cmd_destroy_counters)       \
  X(ibv_cmd_destroy_cq)             \
  X(ibv_cmd_destroy_flow)           \
  X(ibv_cmd_destroy_flow_action)    \
  X(ibv_cmd_destroy_qp)             \
  X(ibv_cmd_destroy_rwq_ind_table)  \
  X(ibv_cmd_destroy_srq)            \
  X(ibv_cmd_destroy_wq)             \
  X(ibv_cmd_detach_mcast)           \
  X(ibv_cmd_free_dm)                \
  X(ibv_cmd_get_context)            \
  X(ibv_cmd_modify_cq)              \
  X(ibv_cmd_modify_flow_action_esp) \
  X(ibv_cmd_modify_qp)              \
  X(ibv_cmd_modify_qp_ex)           \
  X(ibv_cmd_modify_srq)             \
  X(ibv_cmd_modify_wq)              \
  X(ibv_cmd_open_qp)                \
  X(ibv_cmd_open_xrcd)              \
  X(ibv_cmd_poll_cq)                \
  X(ibv_cmd_post_recv)              \
  X(ibv_cmd_post_send)              \
  X(ibv_cmd_post_srq_recv)          \
  X(ibv_cmd_query_context)          \
  X(ibv_cmd_query_device_any)       \
  X(ibv_cmd_query_mr)               \
  X(ibv_cmd_query_port)             \
  X(ibv_cmd_query_qp)               \
  X(ibv_cmd_query_srq)              \
  X(ibv_cmd_read_counters)          \
  X(ibv_cmd_reg_dm_mr)              \
  X(ibv_cmd_reg_dmabuf_mr)          \
  X(ibv_cmd_reg_mr)                 \
  X(ibv_cmd_req_notify_cq)          \
  X(ibv_cmd_rereg_mr)               \
  X(ibv_cmd_resize_cq)

// Those that return a pointer.
#define ROCELAB_PRIVATE_CREATORS(X) \
  X(_verbs_init_and_alloc_context)  \
  X(verbs_open_device)

// Those without a result, which accept and do nothing: registration, and the tables of a context that never comes to
// be.
#define ROCELAB_PRIVATE_ACCEPTED(X) \
  X(__verbs_log)                    \
  X(verbs_init_cq)                  \
  X(verbs_register_driver_34)       \
  X(verbs_set_ops)                  \
  X(verbs_uninit_context)

#define ROCELAB_REFUSE(name) \
  int name() { return rocelab::verbs::refuse(EOPNOTSUPP); }
#define ROCELAB_REFUSE_NULL(name) \
  void* name() { return rocelab::verbs::refuse_null(EOPNOTSUPP); }
#define ROCELAB_ACCEPT(name) \
  void name() {}

extern "C" {

ROCELAB_PRIVATE_COMMANDS(ROCELAB_REFUSE)
ROCELAB_PRIVATE_CREATORS(ROCELAB_REFUSE_NULL)
ROCELAB_PRIVATE_ACCEPTED(ROCELAB_ACCEPT)

/// A negative length, as for a file that is not there.
int ibv_read_ibdev_sysfs_file() {
  errno = EOPNOTSUPP;
  return -1;
}

/// Counts the attributes of an ioctl that nobody sends.
unsigned int __ioctl_final_num_attrs(unsigned int num_attrs, const void*) { return num_attrs; }

/// Whether destroying an object of a removed device succeeds; drivers set it.
extern bool verbs_allow_disassociate_destroy;
bool verbs_allow_disassociate_destroy = false;

}  // extern "C"
