// Steering rules of raw packet QPs. The handle is owned by the application.
#pragma once

#include <infiniband/verbs.h>

#include "rxe/types.h"
#include "verbs/linked_list.h"

namespace rocelab::verbs {

struct Flow : ibv_flow, Linked<Flow> {
  static Flow& of(ibv_flow* flow) { return *static_cast<Flow*>(flow); }
  rxe::FlowId id{};
};

ibv_flow* create_flow(ibv_qp* qp, ibv_flow_attr* attr);
int destroy_flow(ibv_flow* flow);

}  // namespace rocelab::verbs
