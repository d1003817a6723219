// ibv_post_recv and ibv_post_srq_recv. A list is posted under one hold of the engine lock.
#include <cerrno>

#include "verbs/context.h"
#include "verbs/post.h"
#include "verbs/qp.h"
#include "verbs/srq.h"
#include "verbs/status.h"

namespace rocelab::verbs {
namespace {

/// Walks the list; `post` gives one request to the engine.
template <class Post>
int post_list(rxe::VerbsDevice* device, ibv_recv_wr* request, ibv_recv_wr** bad_request, Post&& post) {
  int code = ENODEV;
  if (device != nullptr) [[likely]] {
    rxe::VerbsDevice::Batch batch(*device);
    for (;; request = request->next) {
      if (request == nullptr) return 0;
      if (request->num_sge < 0 || request->num_sge > kSgesMax ||
          (request->num_sge > 0 && request->sg_list == nullptr)) {
        code = EINVAL;
        break;
      }
      const rxe::RecvRequest translated{request->wr_id, sges_of(request->sg_list, request->num_sge)};
      const base::Result<void> posted = post(batch, translated);
      if (!posted) [[unlikely]] {
        code = posted.error().code;
        break;
      }
    }
  }
  *bad_request = request;
  return refuse(code);
}

}  // namespace

int post_recv(ibv_qp* qp, ibv_recv_wr* request, ibv_recv_wr** bad_request) {
  return post_list(local_of(qp->context), request, bad_request,
                   [qpn = qp->qp_num](rxe::VerbsDevice::Batch& batch, const rxe::RecvRequest& translated) {
                     return batch.post_recv(qpn, translated);
                   });
}

int post_srq_recv(ibv_srq* srq, ibv_recv_wr* request, ibv_recv_wr** bad_request) {
  return post_list(local_of(srq->context), request, bad_request,
                   [id = Srq::of(srq).id](rxe::VerbsDevice::Batch& batch, const rxe::RecvRequest& translated) {
                     return batch.post_srq_recv(id, translated);
                   });
}

}  // namespace rocelab::verbs
