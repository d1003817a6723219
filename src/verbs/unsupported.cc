// Public functions that this device does not offer: EOPNOTSUPP, exactly, because applications branch on it. Sharing
// objects between processes needs the kernel's file of the device, connection establishment hints (ECE) are a vendor's.
#include <infiniband/verbs.h>

#include <cerrno>

#include "verbs/status.h"

using rocelab::verbs::refuse;
using rocelab::verbs::refuse_null;

ibv_context* ibv_import_device(int) { return refuse_null(EOPNOTSUPP); }
ibv_pd* ibv_import_pd(ibv_context*, uint32_t) { return refuse_null(EOPNOTSUPP); }
void ibv_unimport_pd(ibv_pd*) {}
ibv_mr* ibv_import_mr(ibv_pd*, uint32_t) { return refuse_null(EOPNOTSUPP); }
void ibv_unimport_mr(ibv_mr*) {}
ibv_dm* ibv_import_dm(ibv_context*, uint32_t) { return refuse_null(EOPNOTSUPP); }
void ibv_unimport_dm(ibv_dm*) {}
int ibv_set_ece(ibv_qp*, ibv_ece*) { return refuse(EOPNOTSUPP); }
int ibv_query_ece(ibv_qp*, ibv_ece*) { return refuse(EOPNOTSUPP); }

/// 0: no promise. Packets are placed in order, but the bytes of one packet by memcpy.
int ibv_query_qp_data_in_order(ibv_qp*, ibv_wr_opcode, uint32_t) { return 0; }
