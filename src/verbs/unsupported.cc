// Public functions that this device does not offer: EOPNOTSUPP, exactly, because applications branch on it. Connection
// establishment hints (ECE) are a vendor's.
#include <infiniband/verbs.h>

#include <cerrno>

#include "verbs/status.h"

using rocelab::verbs::refuse;

int ibv_set_ece(ibv_qp*, ibv_ece*) { return refuse(EOPNOTSUPP); }
int ibv_query_ece(ibv_qp*, ibv_ece*) { return refuse(EOPNOTSUPP); }

/// 0: no promise. Packets are placed in order, but the bytes of one packet by memcpy.
int ibv_query_qp_data_in_order(ibv_qp*, ibv_wr_opcode, uint32_t) { return 0; }
