// Completion channels and asynchronous events as programs wait for them: poll(), non-blocking mode, acknowledgement.
#include <fcntl.h>
#include <poll.h>

#include <cerrno>
#include <thread>

#include "tests/support/catch.h"
#include "tests/verbs/lab.h"

using namespace rocelab::verbs_test;

namespace {

bool readable(int fd, int timeout_ms) {
  pollfd one{fd, POLLIN, 0};
  return poll(&one, 1, timeout_ms) == 1;
}

void set_nonblocking(int fd) { REQUIRE(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0); }

/// A SEND from a to b with a receive posted for it.
void send(Lab::Pair pair, unsigned int flags = 0) {
  REQUIRE(post_recv(pair.b, nullptr) == 0);
  ibv_send_wr wr = send_wr(IBV_WR_SEND, nullptr);
  wr.send_flags = flags;
  REQUIRE(post(pair.a, wr) == 0);
}

}  // namespace

TEST_CASE("an armed CQ makes its channel readable for poll(), once", "[verbs]") {
  Lab lab(ibv_create_comp_channel);
  CHECK((fcntl(lab.channel()->fd, F_GETFD) & FD_CLOEXEC) != 0);
  Lab::Pair pair = lab.make_pair(IBV_QPT_RC);
  CHECK_FALSE(readable(lab.channel()->fd, 0));
  REQUIRE(ibv_req_notify_cq(lab.cq(), 0) == 0);
  send(pair);
  REQUIRE(readable(lab.channel()->fd, -1));
  ibv_cq* cq = nullptr;
  void* cq_context = nullptr;
  REQUIRE(ibv_get_cq_event(lab.channel(), &cq, &cq_context) == 0);
  CHECK(cq == lab.cq());
  CHECK(cq_context == &lab);
  CHECK_FALSE(readable(lab.channel()->fd, 0));
  lab.wait_success();
  send(pair);  // not armed again: no event
  lab.wait_success();
  CHECK_FALSE(readable(lab.channel()->fd, 0));
  ibv_ack_cq_events(cq, 1);
  CHECK(ibv_destroy_qp(pair.a) == 0);
  CHECK(ibv_destroy_qp(pair.b) == 0);
}

TEST_CASE("ibv_get_cq_event blocks until there is an event, or says EAGAIN when the descriptor is non-blocking",
          "[verbs]") {
  Lab lab(ibv_create_comp_channel);
  Lab::Pair pair = lab.make_pair(IBV_QPT_RC);
  REQUIRE(ibv_req_notify_cq(lab.cq(), 0) == 0);
  std::thread waiter([&] {
    ibv_cq* cq = nullptr;
    void* cq_context = nullptr;
    if (ibv_get_cq_event(lab.channel(), &cq, &cq_context) == 0) ibv_ack_cq_events(cq, 1);
  });
  send(pair);
  waiter.join();
  lab.wait_success();
  set_nonblocking(lab.channel()->fd);
  ibv_cq* cq = nullptr;
  void* cq_context = nullptr;
  CHECK(ibv_get_cq_event(lab.channel(), &cq, &cq_context) == -1);
  CHECK(errno == EAGAIN);
  CHECK(ibv_destroy_qp(pair.a) == 0);
  CHECK(ibv_destroy_qp(pair.b) == 0);
}

TEST_CASE("armed for solicited completions only, a CQ stays silent for others", "[verbs]") {
  Lab lab(ibv_create_comp_channel);
  Lab::Pair pair = lab.make_pair(IBV_QPT_RC);
  REQUIRE(ibv_req_notify_cq(lab.cq(), 1) == 0);
  send(pair);
  lab.wait_success();
  CHECK_FALSE(readable(lab.channel()->fd, 0));
  send(pair, IBV_SEND_SOLICITED);
  REQUIRE(readable(lab.channel()->fd, -1));
  ibv_cq* cq = nullptr;
  void* cq_context = nullptr;
  REQUIRE(ibv_get_cq_event(lab.channel(), &cq, &cq_context) == 0);
  ibv_ack_cq_events(cq, 1);
  CHECK(ibv_destroy_qp(pair.a) == 0);
  CHECK(ibv_destroy_qp(pair.b) == 0);
}

TEST_CASE("a moderated CQ tells when enough has come, and when its period is over with less", "[verbs]") {
  Lab lab(ibv_create_comp_channel);
  ibv_device_attr_ex device{};
  REQUIRE(ibv_query_device_ex(lab.context(), nullptr, &device) == 0);
  CHECK(device.cq_mod_caps.max_cq_count == 0xffff);
  CHECK(device.cq_mod_caps.max_cq_period == 0xffff);
  ibv_modify_cq_attr attr{};
  CHECK(ibv_modify_cq(lab.cq(), &attr) == EINVAL);
  Lab::Pair pair = lab.make_pair(IBV_QPT_RC);
  const auto event_comes = [&](std::uint16_t count, std::uint16_t period_us) {
    attr = {IBV_CQ_ATTR_MODERATE, {count, period_us}};
    REQUIRE(ibv_modify_cq(lab.cq(), &attr) == 0);
    REQUIRE(ibv_req_notify_cq(lab.cq(), 0) == 0);
    send(pair, IBV_SEND_SIGNALED);  // two completions
    REQUIRE(readable(lab.channel()->fd, -1));
    ibv_cq* cq = nullptr;
    void* cq_context = nullptr;
    REQUIRE(ibv_get_cq_event(lab.channel(), &cq, &cq_context) == 0);
    ibv_ack_cq_events(cq, 1);
    lab.wait_success();
    lab.wait_success();
    CHECK_FALSE(readable(lab.channel()->fd, 0));
  };
  event_comes(2, 0xffff);
  event_comes(100, 500);  // nobody polls: the device's own thread lets the time pass
  event_comes(0, 500);
  event_comes(100, 0);
  event_comes(0, 0);
  CHECK(ibv_destroy_qp(pair.a) == 0);
  CHECK(ibv_destroy_qp(pair.b) == 0);
}

TEST_CASE("a channel with CQs is busy; an unread event goes away with its CQ, a read one is waited for", "[verbs]") {
  Lab lab;
  ibv_comp_channel* channel = ibv_create_comp_channel(lab.context());
  REQUIRE(channel != nullptr);
  ibv_cq* read = ibv_create_cq(lab.context(), 16, nullptr, channel, 0);
  ibv_cq* unread = ibv_create_cq(lab.context(), 16, nullptr, channel, 0);
  REQUIRE(read != nullptr);
  REQUIRE(unread != nullptr);
  CHECK(ibv_destroy_comp_channel(channel) == EBUSY);
  ibv_cq* got = nullptr;
  void* cq_context = nullptr;
  for (ibv_cq* cq : {read, unread}) {
    ibv_qp* qp = lab.make_qp(IBV_QPT_RC, nullptr, cq);
    REQUIRE(ibv_req_notify_cq(cq, 0) == 0);
    REQUIRE(connect(qp, qp->qp_num) == 0);
    REQUIRE(post_recv(qp, nullptr) == 0);
    ibv_qp_attr attr{};
    attr.qp_state = IBV_QPS_ERR;  // flushes: one completion
    REQUIRE(ibv_modify_qp(qp, &attr, IBV_QP_STATE) == 0);
    REQUIRE(readable(channel->fd, -1));
    if (cq == read) REQUIRE(ibv_get_cq_event(channel, &got, &cq_context) == 0);
    CHECK(ibv_destroy_qp(qp) == 0);
  }
  CHECK(got == read);
  std::thread acknowledger([&] { ibv_ack_cq_events(read, 1); });
  CHECK(ibv_destroy_cq(read) == 0);
  acknowledger.join();
  CHECK(readable(channel->fd, 0));
  CHECK(ibv_destroy_cq(unread) == 0);
  CHECK_FALSE(readable(channel->fd, 0));
  CHECK(ibv_destroy_comp_channel(channel) == 0);
}

TEST_CASE("an access to memory without the right key is an asynchronous event at the responder", "[verbs]") {
  Lab lab;
  set_nonblocking(lab.context()->async_fd);
  ibv_async_event event{};
  CHECK(ibv_get_async_event(lab.context(), &event) == -1);
  CHECK(errno == EAGAIN);
  Buffer local(lab.pd(), 16);
  Lab::Pair pair = lab.make_pair(IBV_QPT_RC);
  ibv_sge sge = local.sge(0, 16);
  REQUIRE(post(pair.a, rdma_wr(IBV_WR_RDMA_WRITE, &sge, local.addr(), local.rkey() + 1)) == 0);
  const ibv_wc wc = lab.wait();
  CHECK(wc.status == IBV_WC_REM_ACCESS_ERR);
  REQUIRE(readable(lab.context()->async_fd, -1));
  do {
    REQUIRE(ibv_get_async_event(lab.context(), &event) == 0);
    ibv_ack_async_event(&event);
  } while (event.event_type == IBV_EVENT_COMM_EST);
  CHECK(event.event_type == IBV_EVENT_QP_ACCESS_ERR);
  CHECK(event.element.qp == pair.b);
  CHECK(ibv_destroy_qp(pair.a) == 0);
  CHECK(ibv_destroy_qp(pair.b) == 0);
}

TEST_CASE("an overflowing CQ is an asynchronous event, and never silent", "[verbs]") {
  Lab lab(nullptr, 1);
  ibv_qp* qp = lab.make_qp(IBV_QPT_RC);
  REQUIRE(connect(qp, qp->qp_num) == 0);
  for (int i = 0; i < 64; ++i) REQUIRE(post_recv(qp, nullptr) == 0);
  ibv_qp_attr attr{};
  attr.qp_state = IBV_QPS_ERR;  // flushes 64 into room for one
  REQUIRE(ibv_modify_qp(qp, &attr, IBV_QP_STATE) == 0);
  ibv_async_event event{};
  REQUIRE(ibv_get_async_event(lab.context(), &event) == 0);
  CHECK(event.event_type == IBV_EVENT_CQ_ERR);
  CHECK(event.element.cq == lab.cq());
  ibv_ack_async_event(&event);
  CHECK(ibv_destroy_qp(qp) == 0);
}
