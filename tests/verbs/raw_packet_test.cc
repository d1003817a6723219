// Raw packet QPs and ibv_create_flow through the ABI: frames from one QP to another of this process, steered by rules.
#include <arpa/inet.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "tests/support/catch.h"
#include "tests/verbs/lab.h"

using namespace rocelab::verbs_test;

namespace {

constexpr std::size_t kFrameBytes = 100;

/// A frame of an Ethertype that nobody uses.
void write_frame(Buffer& to, std::uint8_t receiver) {
  to.fill(receiver);
  const std::uint8_t head[] = {0x02, 0, 0, 0, 0, receiver, 0x02, 0, 0, 0, 0, 0x99, 0x88, 0xb5};
  std::memcpy(to.data(), head, sizeof head);
}

ibv_qp* make_raw(Lab& lab, ibv_cq* cq = nullptr) {
  ibv_qp* qp = lab.make_qp(IBV_QPT_RAW_PACKET, nullptr, cq);
  ibv_qp_attr attr{};
  attr.qp_state = IBV_QPS_INIT;
  attr.port_num = 1;
  REQUIRE(ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PORT) == 0);
  attr.qp_state = IBV_QPS_RTR;
  REQUIRE(ibv_modify_qp(qp, &attr, IBV_QP_STATE) == 0);
  attr.qp_state = IBV_QPS_RTS;
  REQUIRE(ibv_modify_qp(qp, &attr, IBV_QP_STATE) == 0);
  return qp;
}

/// A rule with one Ethernet specification, and perhaps a tag.
struct EthRule {
  ibv_flow_attr attr{};
  ibv_flow_spec_eth eth{};
  ibv_flow_spec_action_tag tag{};

  explicit EthRule(std::uint8_t receiver, unsigned with_tag = 0) {
    attr.port = 1;
    attr.num_of_specs = with_tag != 0 ? 2 : 1;
    attr.size = sizeof *this;
    eth.type = IBV_FLOW_SPEC_ETH;
    eth.size = sizeof eth;
    eth.val.dst_mac[0] = 0x02;
    eth.val.dst_mac[5] = receiver;
    std::memset(eth.mask.dst_mac, 0xff, sizeof eth.mask.dst_mac);
    tag.type = IBV_FLOW_SPEC_ACTION_TAG;
    tag.size = sizeof tag;
    tag.tag_id = with_tag;
  }
};

}  // namespace

TEST_CASE("raw packet: a frame comes to the QP whose rule names it, and to no other", "[verbs][raw]") {
  Lab lab;
  ibv_cq_init_attr_ex init{};
  init.cqe = 32;
  init.wc_flags = IBV_WC_STANDARD_FLAGS;
  init.wc_flags |= IBV_WC_EX_WITH_FLOW_TAG;
  ibv_cq_ex* tagged = ibv_create_cq_ex(lab.context(), &init);
  REQUIRE(tagged != nullptr);
  ibv_qp* from = make_raw(lab);
  ibv_qp* one = make_raw(lab, ibv_cq_ex_to_cq(tagged));
  Buffer source(lab.pd(), kFrameBytes), target(lab.pd(), 4096), stray(lab.pd(), 4096);
  EthRule rule(7, 1234);
  ibv_flow* flow = ibv_create_flow(one, &rule.attr);
  REQUIRE(flow != nullptr);
  ibv_sge to = target.sge(0, 4096), nowhere = stray.sge(0, 4096), piece = source.sge(0, kFrameBytes);
  REQUIRE(post_recv(one, &to, 5) == 0);
  REQUIRE(post_recv(from, &nowhere, 6) == 0);
  for (const std::uint8_t receiver : {std::uint8_t{8}, std::uint8_t{7}}) {
    write_frame(source, receiver);
    REQUIRE(post(from, send_wr(IBV_WR_SEND, &piece, receiver)) == 0);
    CHECK(lab.wait_success().wr_id == receiver);
  }
  ibv_poll_cq_attr attr{};
  while (ibv_start_poll(tagged, &attr) == ENOENT) {
  }
  CHECK(tagged->status == IBV_WC_SUCCESS);
  CHECK(tagged->wr_id == 5);
  CHECK(ibv_wc_read_byte_len(tagged) == kFrameBytes);
  CHECK(ibv_wc_read_flow_tag(tagged) == 1234);
  ibv_end_poll(tagged);
  CHECK(std::memcmp(target.data(), source.data(), kFrameBytes) == 0);
  CHECK(ibv_destroy_qp(one) == EBUSY);
  CHECK(ibv_destroy_flow(flow) == 0);
  CHECK(ibv_destroy_qp(one) == 0);
  CHECK(ibv_destroy_qp(from) == 0);
  CHECK(ibv_destroy_cq(ibv_cq_ex_to_cq(tagged)) == 0);
}

TEST_CASE("raw packet: a sniffer sees RoCE packets of others, too", "[verbs][raw]") {
  Lab lab;
  ibv_cq* cq = ibv_create_cq(lab.context(), 64, nullptr, nullptr, 0);
  ibv_qp* sniffer = make_raw(lab, cq);
  ibv_flow_attr all{};
  all.type = IBV_FLOW_ATTR_SNIFFER;
  all.size = sizeof all;
  all.port = 1;
  ibv_flow* flow = ibv_create_flow(sniffer, &all);
  REQUIRE(flow != nullptr);
  Buffer caught(lab.pd(), 8 * 2048), from(lab.pd(), 64), to(lab.pd(), 64);
  for (std::uint64_t i = 0; i < 8; ++i) {
    ibv_sge sge = caught.sge(i * 2048, 2048);
    REQUIRE(post_recv(sniffer, &sge, i) == 0);
  }
  const Lab::Pair pair = lab.make_pair(IBV_QPT_RC);
  ibv_sge source = from.sge(0, 64);
  REQUIRE(post(pair.a, rdma_wr(IBV_WR_RDMA_WRITE, &source, to.addr(), to.rkey())) == 0);
  lab.wait_success();
  CHECK(lab.wait_success(cq).byte_len >= 64 + 14 + 20 + 8 + 12 + 16 + 4);
  CHECK(ibv_destroy_flow(flow) == 0);
  CHECK(ibv_destroy_qp(sniffer) == 0);
  CHECK(ibv_destroy_qp(pair.a) == 0);
  CHECK(ibv_destroy_qp(pair.b) == 0);
  CHECK(ibv_destroy_cq(cq) == 0);
}

TEST_CASE("raw packet: rules that cannot be are refused, each as documented", "[verbs][raw]") {
  Lab lab;
  ibv_qp* qp = make_raw(lab);
  EthRule rule(7);
  const auto code = [&] {
    errno = 0;
    CHECK(ibv_create_flow(qp, &rule.attr) == nullptr);
    return errno;
  };
  rule.attr.flags = IBV_FLOW_ATTR_FLAGS_EGRESS;
  CHECK(code() == EOPNOTSUPP);
  rule.attr.flags = 0;
  rule.attr.port = 2;
  CHECK(code() == EINVAL);
  rule.attr.port = 1;
  rule.eth.type = IBV_FLOW_SPEC_GRE;
  CHECK(code() == EOPNOTSUPP);
  rule.eth.type = IBV_FLOW_SPEC_ETH;
  rule.eth.size = 8;
  CHECK(code() == EINVAL);
  rule.eth.size = sizeof rule.eth;
  rule.attr.type = IBV_FLOW_ATTR_ALL_DEFAULT;
  CHECK(code() == EINVAL);
  rule.attr.type = IBV_FLOW_ATTR_NORMAL;
  ibv_qp* other = lab.make_qp(IBV_QPT_RC);
  errno = 0;
  CHECK((ibv_create_flow(other, &rule.attr) == nullptr && errno == EINVAL));
  CHECK(ibv_destroy_qp(other) == 0);
  CHECK(ibv_destroy_qp(qp) == 0);
}
