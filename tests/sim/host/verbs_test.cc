// C verbs calls by processes of simulated hosts: the same functions that run on a real device.
#include <infiniband/verbs.h>

#include <array>
#include <string>

#include "perftest/benchmark.h"
#include "sim_verbs/host_verbs.h"
#include "sim_verbs/simulated_benchmark.h"
#include "tests/sim/host/two_hosts.h"
#include "tests/support/catch.h"

namespace rocelab::test {

namespace {

struct Outcome {
  std::array<std::string, 2> problem;
  std::string printed;
};

Outcome benchmark(const std::string& name, const std::string& profile, perftest::Options options = {}) {
  sim::HostOptions host_options{};
  host_options.seed = 1;
  host_options.profile = *sim::find_host_profile(profile);
  REQUIRE(perftest::parse_name(name, options));
  TwoHosts net(host_options);
  Outcome outcome;
  const auto done = sim_verbs::run_benchmark(net.simulation, net.a(), net.b(), options,
                                             [&](std::string_view text) { outcome.printed += text; });
  outcome.problem = done.problem;
  CHECK(net.pools.in_use() == 0);
  return outcome;
}

}  // namespace

TEST_CASE("simulated verbs: every benchmark runs to its end", "[sim][host][verbs]") {
  for (const char* profile : {"ideal", "connectx", "soft"}) {
    for (const char* name :
         {"write_bw", "read_bw", "send_bw", "atomic_bw", "write_lat", "read_lat", "send_lat", "atomic_lat"}) {
      perftest::Options options;
      options.iterations = 100;
      const Outcome outcome = benchmark(name, profile, options);
      INFO(profile << " " << name << "\n" << outcome.printed);
      CHECK(outcome.problem[0].empty());
      CHECK(outcome.problem[1].empty());
      CHECK(outcome.printed.find("#bytes") != std::string::npos);
    }
  }
}

namespace {

/// A QP connected to itself; waits for its completion by a channel. What it saw, or what went wrong.
std::string write_to_self_and_sleep() {
  int count = 0;
  ibv_device** list = ibv_get_device_list(&count);
  if (list == nullptr || count != 1) return "no device";
  ibv_context* context = ibv_open_device(list[0]);
  ibv_free_device_list(list);
  ibv_comp_channel* channel = ibv_create_comp_channel(context);
  ibv_pd* pd = ibv_alloc_pd(context);
  ibv_cq* cq = ibv_create_cq(context, 8, nullptr, channel, 0);
  std::array<char, 64> memory{"from here to there"};
  ibv_mr* mr = ibv_reg_mr(pd, memory.data(), memory.size(), IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
  ibv_qp_init_attr init{};
  init.send_cq = init.recv_cq = cq;
  init.qp_type = IBV_QPT_RC;
  init.cap = {4, 4, 1, 1, 0};
  ibv_qp* qp = ibv_create_qp(pd, &init);
  if (qp == nullptr || mr == nullptr) return "no queue pair";
  ibv_qp_attr attr{};
  attr.qp_state = IBV_QPS_INIT;
  attr.port_num = 1;
  attr.qp_access_flags = IBV_ACCESS_REMOTE_WRITE;
  int status = ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS);
  attr.qp_state = IBV_QPS_RTR;
  attr.path_mtu = IBV_MTU_1024;
  attr.dest_qp_num = qp->qp_num;
  attr.max_dest_rd_atomic = 1;
  attr.ah_attr.is_global = 1;
  attr.ah_attr.port_num = 1;
  ibv_query_gid(context, 1, 0, &attr.ah_attr.grh.dgid);
  status |= ibv_modify_qp(qp, &attr,
                          IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
                              IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER);
  attr.qp_state = IBV_QPS_RTS;
  attr.timeout = 14;
  attr.max_rd_atomic = 1;
  status |= ibv_modify_qp(
      qp, &attr,
      IBV_QP_STATE | IBV_QP_SQ_PSN | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | IBV_QP_MAX_QP_RD_ATOMIC);
  if (status != 0 || ibv_req_notify_cq(cq, 0) != 0) return "not connected";
  ibv_sge sge{reinterpret_cast<std::uintptr_t>(memory.data()), 32, mr->lkey};
  ibv_send_wr request{};
  ibv_send_wr* bad = nullptr;
  request.sg_list = &sge;
  request.num_sge = 1;
  request.opcode = IBV_WR_RDMA_WRITE;
  request.send_flags = IBV_SEND_SIGNALED;
  request.wr.rdma.remote_addr = sge.addr + 32;
  request.wr.rdma.rkey = mr->rkey;
  if (ibv_post_send(qp, &request, &bad) != 0) return "not posted";
  ibv_cq* ready = nullptr;
  void* user = nullptr;
  if (ibv_get_cq_event(channel, &ready, &user) != 0 || ready != cq) return "no event";
  ibv_ack_cq_events(cq, 1);
  ibv_wc done{};
  while (ibv_poll_cq(cq, 1, &done) == 0) {
  }
  std::string seen = done.status == IBV_WC_SUCCESS ? memory.data() + 32 : "failed";
  ibv_destroy_qp(qp);
  ibv_dereg_mr(mr);
  ibv_destroy_cq(cq);
  ibv_dealloc_pd(pd);
  ibv_destroy_comp_channel(channel);
  ibv_close_device(context);
  return seen;
}

}  // namespace

TEST_CASE("simulated verbs: waiting for a completion event lets virtual time go on", "[sim][host][verbs]") {
  for (const char* profile : {"ideal", "connectx"}) {
    sim::HostOptions options{};
    options.seed = 1;
    options.profile = *sim::find_host_profile(profile);
    sim_verbs::HostVerbs verbs;
    TwoHosts net(options);
    std::string seen;
    std::uint64_t ended_ps = 0;
    verbs.equip(net.a());
    const std::uint16_t process = net.a().add_process([&](sim::Process& self) {
      seen = write_to_self_and_sleep();
      ended_ps = self.now().count_ps();
    });
    net.simulation.schedule_initial(TimePoint(), 0, sim::host_event::kProcess, process, 0);
    net.run();
    CHECK(seen == "from here to there");
    CHECK(ended_ps > 0);
    CHECK(ended_ps < 5'000'000);
    CHECK(net.pools.in_use() == 0);
    net.a().end_processes();
  }
}

}  // namespace rocelab::test
