// Functions that other libraries of rdma-core call and that have no public header: sysfs, what librdmacm gets from the
// kernel, GID types, and the private commands, which refuse.
#include <infiniband/sa.h>
#include <infiniband/verbs.h>
#include <rdma/ib_user_sa.h>
#include <rdma/ib_user_verbs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/support/catch.h"
#include "tests/verbs/lab.h"

extern "C" {
const char* ibv_get_sysfs_path(void);
int ibv_read_sysfs_file(const char* dir, const char* file, char* buf, std::size_t size);
int ibv_query_gid_type(ibv_context* context, std::uint8_t port_num, unsigned int index, unsigned int* type);
void ibv_copy_ah_attr_from_kern(ibv_ah_attr* dst, ib_uverbs_ah_attr* src);
void ibv_copy_qp_attr_from_kern(ibv_qp_attr* dst, ib_uverbs_qp_attr* src);
void ibv_copy_path_rec_from_kern(ibv_sa_path_rec* dst, ib_user_path_rec* src);
void ibv_copy_path_rec_to_kern(ib_user_path_rec* dst, ibv_sa_path_rec* src);
int ibv_cmd_create_qp(void);
void* verbs_open_device(ibv_device* device, void* private_data);
void verbs_register_driver_34(const void* ops);
}

using namespace rocelab::verbs_test;

TEST_CASE("a file of one line is read without its newline; what does not fit is refused", "[verbs]") {
  char folder[] = "/tmp/rocelab-sysfs-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  const std::string file = std::string(folder) + "/rate";
  std::FILE* out = std::fopen(file.c_str(), "w");
  REQUIRE(out != nullptr);
  std::fputs("100 Gb\n", out);
  std::fclose(out);
  char text[16];
  CHECK(ibv_read_sysfs_file(folder, "rate", text, sizeof(text)) == 6);
  CHECK(std::string(text) == "100 Gb");
  char tight[6];
  CHECK(ibv_read_sysfs_file(folder, "rate", tight, sizeof(tight)) == -1);
  CHECK(ibv_read_sysfs_file(folder, "absent", text, sizeof(text)) == -1);
  CHECK(ibv_get_sysfs_path()[0] == '/');
  unlink(file.c_str());
  rmdir(folder);
}

TEST_CASE("GID types are those of sysfs: 0 for RoCE v1, 1 for v2", "[verbs]") {
  Lab lab;
  for (std::uint32_t i = 0; i < 4; ++i) {
    ibv_gid_entry entry{};
    REQUIRE(ibv_query_gid_ex(lab.context(), 1, i, &entry, 0) == 0);
    unsigned int type = 9;
    REQUIRE(ibv_query_gid_type(lab.context(), 1, i, &type) == 0);
    CHECK(type == (entry.gid_type == IBV_GID_TYPE_ROCE_V2 ? 1u : 0u));
  }
  unsigned int type = 9;
  CHECK(ibv_query_gid_type(lab.context(), 1, 1'000, &type) == -1);
}

TEST_CASE("a QP's attributes from the kernel keep every member", "[verbs]") {
  ib_uverbs_qp_attr from{};
  std::memset(from.ah_attr.grh.dgid, 7, sizeof(from.ah_attr.grh.dgid));
  from.cur_qp_state = IBV_QPS_INIT;
  from.path_mtu = IBV_MTU_2048;
  from.qkey = 11;
  from.rq_psn = 12;
  from.sq_psn = 13;
  from.dest_qp_num = 14;
  from.qp_access_flags = 15;
  from.max_send_wr = 16;
  from.max_inline_data = 17;
  from.ah_attr.is_global = 1;
  from.ah_attr.grh.sgid_index = 3;
  from.ah_attr.grh.traffic_class = 18;
  from.timeout = 19;
  from.retry_cnt = 6;
  from.rnr_retry = 5;
  from.port_num = 1;
  ibv_qp_attr to{};
  to.qp_state = IBV_QPS_RTR;
  ibv_copy_qp_attr_from_kern(&to, &from);
  CHECK(to.qp_state == IBV_QPS_RTR);  // the caller's
  CHECK(to.cur_qp_state == IBV_QPS_INIT);
  CHECK(to.path_mtu == IBV_MTU_2048);
  CHECK(to.qkey == 11);
  CHECK(to.rq_psn == 12);
  CHECK(to.sq_psn == 13);
  CHECK(to.dest_qp_num == 14);
  CHECK(to.qp_access_flags == 15);
  CHECK(to.cap.max_send_wr == 16);
  CHECK(to.cap.max_inline_data == 17);
  CHECK(to.ah_attr.is_global == 1);
  CHECK(to.ah_attr.grh.dgid.raw[15] == 7);
  CHECK(to.ah_attr.grh.sgid_index == 3);
  CHECK(to.ah_attr.grh.traffic_class == 18);
  CHECK(to.timeout == 19);
  CHECK(to.retry_cnt == 6);
  CHECK(to.rnr_retry == 5);
  CHECK(to.port_num == 1);
}

TEST_CASE("a path record survives the way to the kernel's form and back", "[verbs]") {
  ibv_sa_path_rec path{};
  std::memset(path.dgid.raw, 1, sizeof(path.dgid.raw));
  std::memset(path.sgid.raw, 2, sizeof(path.sgid.raw));
  path.dlid = 3;
  path.slid = 4;
  path.flow_label = 5;
  path.hop_limit = 6;
  path.traffic_class = 7;
  path.reversible = 1;
  path.numb_path = 8;
  path.pkey = 0xffff;
  path.sl = 9;
  path.mtu_selector = 2;
  path.mtu = IBV_MTU_4096;
  path.rate_selector = 2;
  path.rate = 16;
  path.packet_life_time_selector = 2;
  path.packet_life_time = 14;
  path.preference = 10;
  ib_user_path_rec kernel{};
  ibv_copy_path_rec_to_kern(&kernel, &path);
  ibv_sa_path_rec back{};
  ibv_copy_path_rec_from_kern(&back, &kernel);
  CHECK(std::memcmp(back.dgid.raw, path.dgid.raw, 16) == 0);
  CHECK(std::memcmp(back.sgid.raw, path.sgid.raw, 16) == 0);
  CHECK(back.dlid == 3);
  CHECK(back.slid == 4);
  CHECK(back.flow_label == 5);
  CHECK(back.hop_limit == 6);
  CHECK(back.traffic_class == 7);
  CHECK(back.reversible == 1);
  CHECK(back.numb_path == 8);
  CHECK(back.pkey == 0xffff);
  CHECK(back.sl == 9);
  CHECK(back.mtu == IBV_MTU_4096);
  CHECK(back.rate == 16);
  CHECK(back.packet_life_time == 14);
  CHECK(back.preference == 10);
}

TEST_CASE("the MAC behind one of our GIDs is found, and a zero GID has none", "[verbs]") {
  Lab lab;
  ibv_ah_attr attr = address(lab.context());
  std::array<std::uint8_t, 6> mac{};
  std::uint16_t vlan = 0;
  REQUIRE(ibv_resolve_eth_l2_from_gid(lab.context(), &attr, mac.data(), &vlan) == 0);
  CHECK((mac != std::array<std::uint8_t, 6>{}));
  CHECK(vlan == 0xffff);
  attr.grh.dgid = {};
  CHECK(ibv_resolve_eth_l2_from_gid(lab.context(), &attr, mac.data(), &vlan) == -EINVAL);
}

TEST_CASE("a destination that is not on this host and has no uplink is unreachable", "[verbs]") {
  Lab lab;
  ibv_ah_attr attr = address(lab.context());
  attr.grh.dgid.raw[15] = static_cast<std::uint8_t>(attr.grh.dgid.raw[15] + 1);
  CHECK(ibv_create_ah(lab.pd(), &attr) == nullptr);
  CHECK(errno == EHOSTUNREACH);
}

TEST_CASE("a driver may register and gets nothing: its commands refuse with EOPNOTSUPP", "[verbs]") {
  verbs_register_driver_34(nullptr);
  CHECK(ibv_cmd_create_qp() == EOPNOTSUPP);
  CHECK(verbs_open_device(nullptr, nullptr) == nullptr);
  CHECK(errno == EOPNOTSUPP);
}
