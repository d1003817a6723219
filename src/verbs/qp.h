// Queue pairs. The public struct is ibv_qp_ex (whose beginning is the ibv_qp); QPs made with send_ops_flags also have
// the buffer in which ibv_wr_* builds requests. Owned by the application.
#pragma once

#include <infiniband/verbs.h>

#include <cstdint>
#include <memory>

#include "rxe/types.h"
#include "verbs/linked_list.h"
#include "verbs/placement.h"
#include "verbs/wr_builder.h"

namespace rocelab::verbs {

/// The flags that requests carry into the engine; checksum offload belongs to raw packets.
inline constexpr std::uint32_t kSendFlags = IBV_SEND_FENCE | IBV_SEND_SIGNALED | IBV_SEND_SOLICITED | IBV_SEND_INLINE;

struct Qp : ibv_qp_ex, Linked<Qp>, Placed {
  static constexpr PlacedType kPlacedType = PlacedType::kQp;
  static Qp& of(ibv_qp* qp) { return *static_cast<Qp*>(reinterpret_cast<ibv_qp_ex*>(qp)); }
  static Qp& of(ibv_qp_ex* qp) { return *static_cast<Qp*>(qp); }

  bool sq_sig_all = false;
  std::uint32_t events_delivered = 0;
  std::unique_ptr<WrBuilder> builder;  ///< with send_ops_flags only
};

ibv_qp* create_qp_ex(ibv_context* context, ibv_qp_init_attr_ex* init);
ibv_qp* open_qp(ibv_context* context, ibv_qp_open_attr* attr);
int post_send(ibv_qp* qp, ibv_send_wr* request, ibv_send_wr** bad_request);
int post_recv(ibv_qp* qp, ibv_recv_wr* request, ibv_recv_wr** bad_request);

}  // namespace rocelab::verbs
