// Data between two QPs of one process, through the whole stack: RC, UC and UD, all operations, inline, lists.
#include <endian.h>

#include <cerrno>
#include <cstring>

#include "tests/support/catch.h"
#include "tests/verbs/lab.h"

using namespace rocelab::verbs_test;

namespace {

/// Every pair of the test is taken down here.
void destroy(Lab::Pair pair) {
  CHECK(ibv_destroy_qp(pair.a) == 0);
  CHECK(ibv_destroy_qp(pair.b) == 0);
}

/// Waits for both completions of a SEND; returns the receive's.
ibv_wc wait_send_and_receive(Lab& lab) {
  ibv_wc received{};
  for (int i = 0; i < 2; ++i) {
    const ibv_wc wc = lab.wait_success();
    if (wc.opcode & IBV_WC_RECV) received = wc;
  }
  REQUIRE((received.opcode & IBV_WC_RECV) != 0);
  return received;
}

}  // namespace

TEST_CASE("RC and UC: a SEND of many packets arrives byte by byte", "[verbs]") {
  const auto type = GENERATE(IBV_QPT_RC, IBV_QPT_UC);
  Lab lab;
  Buffer from(lab.pd(), 10'000), to(lab.pd(), 12'000);
  from.fill(1);
  Lab::Pair pair = lab.make_pair(type);
  ibv_sge source = from.sge(0, 10'000), target = to.sge(0, 12'000);
  REQUIRE(post_recv(pair.b, &target, 77) == 0);
  REQUIRE(post(pair.a, send_wr(IBV_WR_SEND, &source, 55)) == 0);
  const ibv_wc wc = wait_send_and_receive(lab);
  CHECK(wc.wr_id == 77);
  CHECK(wc.opcode == IBV_WC_RECV);
  CHECK(wc.byte_len == 10'000);
  CHECK(wc.qp_num == pair.b->qp_num);
  CHECK(wc.wc_flags == 0);
  CHECK(std::memcmp(from.data(), to.data(), 10'000) == 0);
  CHECK(to[10'000] == 0);
  destroy(pair);
}

TEST_CASE("SEND with immediate hands the number over in network byte order", "[verbs]") {
  Lab lab;
  Lab::Pair pair = lab.make_pair(IBV_QPT_RC);
  REQUIRE(post_recv(pair.b, nullptr) == 0);
  ibv_send_wr wr = send_wr(IBV_WR_SEND_WITH_IMM, nullptr);
  wr.imm_data = htobe32(0x11223344);
  REQUIRE(post(pair.a, wr) == 0);
  const ibv_wc wc = wait_send_and_receive(lab);
  CHECK((wc.wc_flags & IBV_WC_WITH_IMM) != 0);
  CHECK(wc.imm_data == htobe32(0x11223344));
  CHECK(wc.byte_len == 0);
  destroy(pair);
}

TEST_CASE("RDMA WRITE, WRITE with immediate and READ reach the memory that the rkey names", "[verbs]") {
  Lab lab;
  Buffer local(lab.pd(), 5'000), remote(lab.pd(), 5'000);
  Lab::Pair pair = lab.make_pair(IBV_QPT_RC);
  local.fill(2);
  ibv_sge sge = local.sge(0, 5'000);
  REQUIRE(post(pair.a, rdma_wr(IBV_WR_RDMA_WRITE, &sge, remote.addr(), remote.rkey())) == 0);
  CHECK(lab.wait_success().opcode == IBV_WC_RDMA_WRITE);
  CHECK(std::memcmp(local.data(), remote.data(), 5'000) == 0);

  local.fill(3);
  REQUIRE(post_recv(pair.b, nullptr, 9) == 0);
  ibv_send_wr wr = rdma_wr(IBV_WR_RDMA_WRITE_WITH_IMM, &sge, remote.addr(), remote.rkey());
  wr.imm_data = htobe32(7);
  REQUIRE(post(pair.a, wr) == 0);
  const ibv_wc wc = wait_send_and_receive(lab);
  CHECK(wc.opcode == IBV_WC_RECV_RDMA_WITH_IMM);
  CHECK(wc.imm_data == htobe32(7));
  CHECK(wc.byte_len == 5'000);
  CHECK(std::memcmp(local.data(), remote.data(), 5'000) == 0);

  remote.fill(4);
  REQUIRE(post(pair.a, rdma_wr(IBV_WR_RDMA_READ, &sge, remote.addr(), remote.rkey())) == 0);
  CHECK(lab.wait_success().opcode == IBV_WC_RDMA_READ);
  CHECK(std::memcmp(local.data(), remote.data(), 5'000) == 0);
  destroy(pair);
}

TEST_CASE("atomics change the remote word and return what was there", "[verbs]") {
  Lab lab;
  Buffer local(lab.pd(), 8), remote(lab.pd(), 8);
  Lab::Pair pair = lab.make_pair(IBV_QPT_RC);
  auto word = [](Buffer& buffer) {
    std::uint64_t value = 0;
    std::memcpy(&value, buffer.data(), 8);
    return value;
  };
  ibv_sge sge = local.sge(0, 8);
  ibv_send_wr add = rdma_wr(IBV_WR_ATOMIC_FETCH_AND_ADD, &sge, remote.addr(), remote.rkey());
  add.wr.atomic.compare_add = 41;
  REQUIRE(post(pair.a, add) == 0);
  CHECK(lab.wait_success().opcode == IBV_WC_FETCH_ADD);
  CHECK(word(local) == 0);
  CHECK(word(remote) == 41);
  ibv_send_wr swap = rdma_wr(IBV_WR_ATOMIC_CMP_AND_SWP, &sge, remote.addr(), remote.rkey());
  swap.wr.atomic.compare_add = 41;
  swap.wr.atomic.swap = 1'000;
  REQUIRE(post(pair.a, swap) == 0);
  CHECK(lab.wait_success().opcode == IBV_WC_COMP_SWAP);
  CHECK(word(local) == 41);
  CHECK(word(remote) == 1'000);
  destroy(pair);
}

TEST_CASE("inline data may be overwritten as soon as the post returns, and needs no lkey", "[verbs]") {
  Lab lab;
  Buffer to(lab.pd(), 200);
  Lab::Pair pair = lab.make_pair(IBV_QPT_RC);
  ibv_sge target = to.sge(0, 200);
  REQUIRE(post_recv(pair.b, &target) == 0);
  char text[200];
  std::memset(text, 'x', sizeof(text));
  ibv_sge source{reinterpret_cast<std::uintptr_t>(text), sizeof(text), 0xdead};
  ibv_send_wr wr = send_wr(IBV_WR_SEND, &source);
  wr.send_flags |= IBV_SEND_INLINE;
  REQUIRE(post(pair.a, wr) == 0);
  std::memset(text, 'y', sizeof(text));
  CHECK(wait_send_and_receive(lab).byte_len == 200);
  CHECK(to[0] == 'x');
  CHECK(to[199] == 'x');
  destroy(pair);
}

TEST_CASE("lists of requests and of pieces are posted in order; an unsignalled one completes silently", "[verbs]") {
  Lab lab;
  Buffer from(lab.pd(), 300), to(lab.pd(), 300);
  from.fill(5);
  Lab::Pair pair = lab.make_pair(IBV_QPT_RC);
  ibv_sge targets[3] = {to.sge(200, 100), to.sge(0, 50), to.sge(50, 150)};
  ibv_recv_wr recv{};
  recv.sg_list = targets;
  recv.num_sge = 3;
  ibv_recv_wr second = recv;
  recv.next = &second;
  ibv_recv_wr* bad_recv = nullptr;
  REQUIRE(ibv_post_recv(pair.b, &recv, &bad_recv) == 0);

  ibv_sge pieces[2] = {from.sge(0, 100), from.sge(100, 200)};
  ibv_send_wr quiet = send_wr(IBV_WR_SEND, nullptr);
  quiet.sg_list = pieces;
  quiet.num_sge = 2;
  quiet.send_flags = 0;
  ibv_send_wr loud = quiet;
  loud.send_flags = IBV_SEND_SIGNALED;
  loud.wr_id = 3;
  quiet.next = &loud;
  ibv_send_wr* bad = nullptr;
  REQUIRE(ibv_post_send(pair.a, &quiet, &bad) == 0);
  int sends = 0;
  for (int i = 0; i < 3; ++i) {
    const ibv_wc wc = lab.wait_success();
    if (!(wc.opcode & IBV_WC_RECV)) {
      ++sends;
      CHECK(wc.wr_id == 3);
    }
  }
  CHECK(sends == 1);
  CHECK(std::memcmp(to.data() + 200, from.data(), 100) == 0);
  CHECK(std::memcmp(to.data(), from.data() + 100, 200) == 0);
  destroy(pair);
}

TEST_CASE("UD: the receiver learns who sent, and can answer with an address from the completion", "[verbs]") {
  const std::uint8_t gid_index = GENERATE(std::uint8_t{0}, std::uint8_t{1}, kGidIndex);  // v1, v2 over IPv6, over IPv4
  Lab lab;
  Buffer from(lab.pd(), 1'000), to(lab.pd(), kGrhBytes + 1'000), back(lab.pd(), kGrhBytes + 1'000);
  from.fill(6);
  ibv_qp* a = lab.make_ud();
  ibv_qp* b = lab.make_ud();
  ibv_ah_attr attr = address(lab.context(), gid_index);
  ibv_ah* ah = ibv_create_ah(lab.pd(), &attr);
  REQUIRE(ah != nullptr);
  ibv_sge target = to.sge(0, to.size()), source = from.sge(0, 1'000), target_back = back.sge(0, back.size());
  REQUIRE(post_recv(b, &target) == 0);
  ibv_send_wr wr = send_wr(IBV_WR_SEND_WITH_IMM, &source);
  wr.imm_data = htobe32(5);
  wr.wr.ud = {ah, b->qp_num, kQkey};
  REQUIRE(post(a, wr) == 0);
  ibv_wc wc = wait_send_and_receive(lab);
  CHECK(wc.byte_len == kGrhBytes + 1'000);
  CHECK(wc.src_qp == a->qp_num);
  CHECK((wc.wc_flags & IBV_WC_GRH) != 0);
  CHECK((wc.wc_flags & IBV_WC_WITH_IMM) != 0);
  CHECK(std::memcmp(to.data() + kGrhBytes, from.data(), 1'000) == 0);

  ibv_ah* answer = ibv_create_ah_from_wc(lab.pd(), &wc, reinterpret_cast<ibv_grh*>(to.data()), 1);
  REQUIRE(answer != nullptr);
  REQUIRE(post_recv(a, &target_back) == 0);
  wr = send_wr(IBV_WR_SEND, &source);
  wr.wr.ud = {answer, wc.src_qp, kQkey};
  REQUIRE(post(b, wr) == 0);
  CHECK(wait_send_and_receive(lab).src_qp == b->qp_num);
  CHECK(std::memcmp(back.data() + kGrhBytes, from.data(), 1'000) == 0);
  CHECK(ibv_destroy_ah(answer) == 0);
  CHECK(ibv_destroy_ah(ah) == 0);
  CHECK(ibv_destroy_qp(a) == 0);
  CHECK(ibv_destroy_qp(b) == 0);
}

TEST_CASE("a multicast message reaches the QPs attached to the group and stops when they detach", "[verbs]") {
  Lab lab;
  Buffer from(lab.pd(), 16), to(lab.pd(), kGrhBytes + 16);
  ibv_qp* sender = lab.make_ud();
  ibv_qp* member = lab.make_ud();
  union ibv_gid group {};
  group.raw[10] = group.raw[11] = 0xff;
  group.raw[12] = 239;
  group.raw[15] = 9;
  REQUIRE(ibv_attach_mcast(member, &group, 0) == 0);
  ibv_ah_attr attr = address(lab.context());
  attr.grh.dgid = group;
  ibv_ah* ah = ibv_create_ah(lab.pd(), &attr);
  REQUIRE(ah != nullptr);
  ibv_sge target = to.sge(0, to.size()), source = from.sge(0, 16);
  REQUIRE(post_recv(member, &target) == 0);
  ibv_send_wr wr = send_wr(IBV_WR_SEND, &source);
  wr.wr.ud = {ah, 0xffffff, kQkey};
  REQUIRE(post(sender, wr) == 0);
  CHECK(wait_send_and_receive(lab).qp_num == member->qp_num);
  CHECK(ibv_detach_mcast(member, &group, 0) == 0);
  CHECK(ibv_detach_mcast(member, &group, 0) == EINVAL);
  CHECK(ibv_destroy_ah(ah) == 0);
  CHECK(ibv_destroy_qp(sender) == 0);
  CHECK(ibv_destroy_qp(member) == 0);
}

TEST_CASE("a shared receive queue feeds several QPs and its limit raises one event", "[verbs]") {
  Lab lab;
  Buffer from(lab.pd(), 16), to(lab.pd(), 64);
  ibv_srq_init_attr init{};
  init.attr = {16, 2, 0};
  ibv_srq* srq = ibv_create_srq(lab.pd(), &init);
  REQUIRE(srq != nullptr);
  Lab::Pair pair = lab.make_pair(IBV_QPT_RC, srq);
  ibv_sge target = to.sge(0, 16), source = from.sge(0, 16);
  for (std::uint64_t i = 0; i < 3; ++i) {
    ibv_recv_wr recv{};
    recv.wr_id = 100 + i;
    recv.sg_list = &target;
    recv.num_sge = 1;
    ibv_recv_wr* bad = nullptr;
    REQUIRE(ibv_post_srq_recv(srq, &recv, &bad) == 0);
  }
  ibv_srq_attr limit{0, 0, 2};
  REQUIRE(ibv_modify_srq(srq, &limit, IBV_SRQ_LIMIT) == 0);
  ibv_srq_attr now{};
  REQUIRE(ibv_query_srq(srq, &now) == 0);
  CHECK(now.srq_limit == 2);
  CHECK(now.max_wr >= 16);
  for (int i = 0; i < 2; ++i) {
    REQUIRE(post(i == 0 ? pair.a : pair.b, send_wr(IBV_WR_SEND, &source)) == 0);
    CHECK(wait_send_and_receive(lab).wr_id == 100u + static_cast<unsigned>(i));
  }
  ibv_async_event event{};
  do {  // communication established comes too
    REQUIRE(ibv_get_async_event(lab.context(), &event) == 0);
    ibv_ack_async_event(&event);
  } while (event.event_type == IBV_EVENT_COMM_EST);
  CHECK(event.event_type == IBV_EVENT_SRQ_LIMIT_REACHED);
  CHECK(event.element.srq == srq);
  CHECK(ibv_destroy_srq(srq) == EBUSY);
  destroy(pair);
  CHECK(ibv_destroy_srq(srq) == 0);
}

TEST_CASE("a QP in ERR flushes what is posted, and query_qp tells the state", "[verbs]") {
  Lab lab;
  Buffer buffer(lab.pd(), 16);
  Lab::Pair pair = lab.make_pair(IBV_QPT_RC);
  ibv_sge sge = buffer.sge(0, 16);
  REQUIRE(post_recv(pair.a, &sge, 21) == 0);
  ibv_qp_attr attr{};
  attr.qp_state = IBV_QPS_ERR;
  REQUIRE(ibv_modify_qp(pair.a, &attr, IBV_QP_STATE) == 0);
  CHECK(pair.a->state == IBV_QPS_ERR);
  REQUIRE(post(pair.a, send_wr(IBV_WR_SEND, &sge, 22)) == 0);
  std::uint64_t seen = 0;
  for (int i = 0; i < 2; ++i) {
    const ibv_wc wc = lab.wait();
    CHECK(wc.status == IBV_WC_WR_FLUSH_ERR);
    seen += wc.wr_id;
  }
  CHECK(seen == 43);
  ibv_qp_init_attr init{};
  REQUIRE(ibv_query_qp(pair.a, &attr, IBV_QP_STATE, &init) == 0);
  CHECK(attr.qp_state == IBV_QPS_ERR);
  CHECK(init.qp_type == IBV_QPT_RC);
  CHECK(init.send_cq == lab.cq());
  REQUIRE(ibv_query_qp(pair.b, &attr, IBV_QP_STATE | IBV_QP_AV, &init) == 0);
  CHECK(attr.qp_state == IBV_QPS_RTS);
  CHECK(attr.dest_qp_num == pair.a->qp_num);
  CHECK(attr.ah_attr.is_global == 1);
  CHECK(attr.ah_attr.grh.sgid_index == kGidIndex);
  CHECK(attr.timeout == 14);
  CHECK(attr.cap.max_send_wr >= 64);
  destroy(pair);
}
