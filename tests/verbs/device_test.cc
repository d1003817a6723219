// The device as programs see it before they make anything: list, attributes, port, GIDs, keys, names and rates.
#include <endian.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <string>

#include "tests/support/catch.h"
#include "tests/verbs/lab.h"

using namespace rocelab::verbs_test;

TEST_CASE("the device list names rocelab0, ends with a null pointer and gives the same pointers again", "[verbs]") {
  int count = 0;
  ibv_device** list = ibv_get_device_list(&count);
  REQUIRE(list != nullptr);
  REQUIRE(count == 1);
  CHECK(list[1] == nullptr);
  CHECK(std::string(ibv_get_device_name(list[0])) == "rocelab0");
  CHECK(list[0]->node_type == IBV_NODE_CA);
  CHECK(list[0]->transport_type == IBV_TRANSPORT_IB);
  CHECK(std::string(list[0]->dev_name) == "uverbs0");
  CHECK(std::string(list[0]->ibdev_path) == "/sys/class/infiniband/rocelab0");
  CHECK(ibv_get_device_guid(list[0]) != 0);
  CHECK(ibv_get_device_index(list[0]) == 0);
  ibv_device** again = ibv_get_device_list(nullptr);
  REQUIRE(again != nullptr);
  CHECK(again[0] == list[0]);
  // Provider libraries look for their own operations right behind the ibv_device.
  void* provider_ops = &count;
  std::memcpy(&provider_ops, list[0] + 1, sizeof(provider_ops));
  CHECK(provider_ops == nullptr);
  ibv_free_device_list(again);
  ibv_free_device_list(list);
}

TEST_CASE("an opened context has the extended table in front of it", "[verbs]") {
  Lab lab;
  CHECK(lab.context()->abi_compat == reinterpret_cast<void*>(UINTPTR_MAX));
  verbs_context* extended = verbs_get_ctx(lab.context());
  REQUIRE(extended != nullptr);
  CHECK(extended->sz == sizeof(verbs_context));
  CHECK(lab.context()->async_fd >= 0);
  CHECK(lab.context()->num_comp_vectors >= 1);
}

TEST_CASE("device attributes are those of a RoCE device without a vendor", "[verbs]") {
  Lab lab;
  ibv_device_attr attr{};
  REQUIRE(ibv_query_device(lab.context(), &attr) == 0);
  CHECK(attr.vendor_id == 0xff'ffff);
  CHECK(attr.phys_port_cnt == 1);
  CHECK(attr.node_guid == ibv_get_device_guid(lab.context()->device));
  CHECK(attr.max_qp > 0);
  CHECK(attr.max_qp_wr >= 1024);
  CHECK(attr.max_sge >= 16);
  CHECK(attr.max_cqe >= 65536);
  CHECK(attr.atomic_cap == IBV_ATOMIC_HCA);
  CHECK(attr.max_pkeys == 1);
  CHECK(std::strlen(attr.fw_ver) > 0);

  ibv_device_attr_ex extended{};
  REQUIRE(ibv_query_device_ex(lab.context(), nullptr, &extended) == 0);
  CHECK(std::memcmp(&extended.orig_attr, &attr, sizeof(attr)) == 0);
  CHECK(extended.completion_timestamp_mask != 0);
  CHECK(extended.hca_core_clock != 0);
  ibv_query_device_ex_input input{};
  input.comp_mask = 1;
  CHECK(ibv_query_device_ex(lab.context(), &input, &extended) == EINVAL);
}

TEST_CASE("the port is Ethernet, active, number 1, and there is no other", "[verbs]") {
  Lab lab;
  ibv_port_attr port{};
  REQUIRE(ibv_query_port(lab.context(), 1, &port) == 0);
  CHECK(port.state == IBV_PORT_ACTIVE);
  CHECK(port.link_layer == IBV_LINK_LAYER_ETHERNET);
  CHECK(port.max_mtu == IBV_MTU_4096);
  CHECK(port.active_mtu == IBV_MTU_4096);
  CHECK(port.lid == 0);
  CHECK(port.gid_tbl_len > 3);
  CHECK(port.pkey_tbl_len == 1);
  CHECK(port.max_msg_sz == 1u << 31);
  CHECK((port.flags & IBV_QPF_GRH_REQUIRED) != 0);
  CHECK(ibv_query_port(lab.context(), 0, &port) == EINVAL);
  CHECK(ibv_query_port(lab.context(), 2, &port) == EINVAL);
}

TEST_CASE("every way to read the GID table shows the same entries", "[verbs]") {
  Lab lab;
  ibv_gid_entry entries[128];
  const ssize_t count = ibv_query_gid_table(lab.context(), entries, 128, 0);
  REQUIRE(count >= 4);
  for (ssize_t i = 0; i < count; ++i) {
    ibv_gid_entry entry{};
    REQUIRE(ibv_query_gid_ex(lab.context(), 1, entries[i].gid_index, &entry, 0) == 0);
    CHECK(std::memcmp(&entry, &entries[i], sizeof(entry)) == 0);
    CHECK((entry.gid_type == IBV_GID_TYPE_ROCE_V1 || entry.gid_type == IBV_GID_TYPE_ROCE_V2));
    union ibv_gid gid {};
    REQUIRE(ibv_query_gid(lab.context(), 1, static_cast<int>(entry.gid_index), &gid) == 0);
    CHECK(std::memcmp(gid.raw, entry.gid.raw, sizeof(gid.raw)) == 0);
  }
  ibv_gid_entry entry{};
  CHECK(ibv_query_gid_ex(lab.context(), 1, 100, &entry, 0) == ENODATA);
  CHECK(ibv_query_gid_ex(lab.context(), 1, 1000, &entry, 0) == EINVAL);
  CHECK(ibv_query_gid_ex(lab.context(), 2, 0, &entry, 0) == EINVAL);
  CHECK(ibv_query_gid_ex(lab.context(), 1, 0, &entry, 1) == EOPNOTSUPP);
  CHECK(ibv_query_gid_table(lab.context(), entries, 1, 0) == -EINVAL);
  union ibv_gid gid {};
  gid.raw[0] = 1;
  CHECK(ibv_query_gid(lab.context(), 1, 100, &gid) == 0);  // empty: zero, not an error
  CHECK(gid.raw[0] == 0);
  CHECK(ibv_query_gid(lab.context(), 1, 1000, &gid) == -1);
}

TEST_CASE("the default partition key is at index 0 and alone", "[verbs]") {
  Lab lab;
  __be16 pkey = 0;
  REQUIRE(ibv_query_pkey(lab.context(), 1, 0, &pkey) == 0);
  CHECK(pkey == htobe16(0xffff));
  CHECK(ibv_query_pkey(lab.context(), 1, 1, &pkey) == -1);
  CHECK(ibv_get_pkey_index(lab.context(), 1, htobe16(0xffff)) == 0);
  CHECK(ibv_get_pkey_index(lab.context(), 1, htobe16(0x8001)) == -1);
}

TEST_CASE("names of enumerators are libibverbs' and unknown values have one too", "[verbs]") {
  CHECK(std::string(ibv_node_type_str(IBV_NODE_CA)) == "InfiniBand channel adapter");
  CHECK(std::string(ibv_port_state_str(IBV_PORT_ACTIVE)) == "active");
  CHECK(std::string(ibv_event_type_str(IBV_EVENT_SRQ_LIMIT_REACHED)) == "SRQ limit reached");
  CHECK(std::string(ibv_wc_status_str(IBV_WC_RETRY_EXC_ERR)) == "transport retry counter exceeded");
  CHECK(std::string(ibv_wc_status_str(static_cast<ibv_wc_status>(31))) == "unknown");
  CHECK(std::string(ibv_node_type_str(static_cast<ibv_node_type>(0))) == "unknown");
}

TEST_CASE("rates convert to multiples and megabits and back", "[verbs]") {
  CHECK(ibv_rate_to_mult(IBV_RATE_10_GBPS) == 4);
  CHECK(mult_to_ibv_rate(4) == IBV_RATE_10_GBPS);
  CHECK(ibv_rate_to_mbps(IBV_RATE_100_GBPS) == 103'125);
  CHECK(mbps_to_ibv_rate(103'125) == IBV_RATE_100_GBPS);
  CHECK(ibv_rate_to_mult(IBV_RATE_MAX) == -1);
  CHECK(ibv_rate_to_mbps(static_cast<ibv_rate>(31)) == -1);
  CHECK(mult_to_ibv_rate(0) == IBV_RATE_MAX);
  CHECK(mbps_to_ibv_rate(1) == IBV_RATE_MAX);
}

TEST_CASE("what is not offered says EOPNOTSUPP, exactly", "[verbs]") {
  Lab lab;
  const auto refused = [](const void* made) {
    const bool right = made == nullptr && errno == EOPNOTSUPP;
    errno = 0;
    return right;
  };
  ibv_wq_init_attr wq{};
  CHECK(refused(ibv_create_wq(lab.context(), &wq)));
  ibv_counters_init_attr counters{};
  CHECK(refused(ibv_create_counters(lab.context(), &counters)));
  CHECK(refused(ibv_reg_dmabuf_mr(lab.pd(), 0, 4096, 0, -1, IBV_ACCESS_LOCAL_WRITE)));
  CHECK(refused(ibv_import_device(0)));
  ibv_cq_init_attr_ex cq{};
  cq.cqe = 16;
  cq.wc_flags = IBV_WC_EX_WITH_TM_INFO;
  CHECK(refused(ibv_create_cq_ex(lab.context(), &cq)));
  ibv_qp_init_attr_ex qp{};
  qp.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_CREATE_FLAGS;
  qp.pd = lab.pd();
  qp.qp_type = IBV_QPT_RC;
  qp.create_flags = IBV_QP_CREATE_SCATTER_FCS;
  CHECK(refused(ibv_create_qp_ex(lab.context(), &qp)));
  ibv_qp_init_attr raw{};
  raw.qp_type = IBV_QPT_DRIVER;
  raw.send_cq = raw.recv_cq = lab.cq();
  CHECK(refused(ibv_create_qp(lab.pd(), &raw)));

  ibv_qp* rc = lab.make_qp(IBV_QPT_RC);
  ibv_ece ece{};
  CHECK(ibv_query_ece(rc, &ece) == EOPNOTSUPP);
  CHECK(ibv_set_ece(rc, &ece) == EOPNOTSUPP);
  ibv_qp_rate_limit_attr rate{};
  CHECK(ibv_modify_qp_rate_limit(rc, &rate) == EOPNOTSUPP);
  CHECK(ibv_destroy_qp(rc) == 0);
}

TEST_CASE("parent domains stand for their PD and keep it alive", "[verbs]") {
  Lab lab;
  ibv_td_init_attr td_attr{};
  ibv_td* td = ibv_alloc_td(lab.context(), &td_attr);
  REQUIRE(td != nullptr);
  ibv_parent_domain_init_attr attr{};
  attr.pd = lab.pd();
  attr.td = td;
  ibv_pd* parent = ibv_alloc_parent_domain(lab.context(), &attr);
  REQUIRE(parent != nullptr);
  CHECK(ibv_dealloc_td(td) == EBUSY);
  CHECK(ibv_dealloc_pd(lab.pd()) == EBUSY);
  {
    Buffer buffer(parent, 64);
    CHECK(buffer.mr()->pd == parent);
  }
  CHECK(ibv_dealloc_pd(parent) == 0);
  CHECK(ibv_dealloc_td(td) == 0);
  attr.pd = nullptr;
  CHECK(ibv_alloc_parent_domain(lab.context(), &attr) == nullptr);
  CHECK(errno == EINVAL);
}
