// Leaves main() with everything open: QPs connected, requests outstanding, a thread that polls, and a static object
// whose destructor runs after the library's. The test is that the process ends by itself and with status 0.
#include <infiniband/verbs.h>

#include <cstdio>
#include <thread>

namespace {

/// Constructed before the library is first used, so destroyed after the library's own statics.
struct LateUser {
  ibv_qp* qp = nullptr;
  ibv_context* context = nullptr;
  ~LateUser() {
    if (qp != nullptr) ibv_destroy_qp(qp);
    ibv_port_attr port;
    if (context != nullptr && ibv_query_port(context, 1, &port) == 0) std::puts("the device outlived the library?");
  }
};
LateUser late;

}  // namespace

int main() {
  int count = 0;
  ibv_device** list = ibv_get_device_list(&count);
  if (list == nullptr || count == 0) return 1;
  late.context = ibv_open_device(list[0]);
  ibv_free_device_list(list);
  if (late.context == nullptr) return 2;
  ibv_pd* pd = ibv_alloc_pd(late.context);
  ibv_comp_channel* channel = ibv_create_comp_channel(late.context);
  ibv_cq* cq = ibv_create_cq(late.context, 64, nullptr, channel, 0);
  if (pd == nullptr || cq == nullptr || ibv_req_notify_cq(cq, 0) != 0) return 3;
  ibv_qp_init_attr init{};
  init.qp_type = IBV_QPT_UD;
  init.send_cq = init.recv_cq = cq;
  init.cap = {8, 8, 1, 1, 0};
  late.qp = ibv_create_qp(pd, &init);
  if (late.qp == nullptr) return 4;
  std::thread([cq] {
    ibv_wc wc;
    for (;;) ibv_poll_cq(cq, 1, &wc);
  }).detach();
  return 0;
}
