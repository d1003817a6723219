// Shared receive queues, basic ones and those of XRC domains. Owned by the application.
#pragma once

#include <infiniband/verbs.h>

#include <cstdint>

#include "rxe/types.h"
#include "verbs/linked_list.h"
#include "verbs/placement.h"

namespace rocelab::verbs {

struct Srq : ibv_srq, Linked<Srq>, Placed {
  static constexpr PlacedType kPlacedType = PlacedType::kSrq;
  static Srq& of(ibv_srq* srq) { return *static_cast<Srq*>(srq); }
  rxe::SrqId id{};
  std::uint32_t events_delivered = 0;
};

ibv_srq* create_srq_ex(ibv_context* context, ibv_srq_init_attr_ex* attr);
int get_srq_num(ibv_srq* srq, std::uint32_t* number);
int post_srq_recv(ibv_srq* srq, ibv_recv_wr* request, ibv_recv_wr** bad_request);

}  // namespace rocelab::verbs
