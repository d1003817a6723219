// Verbs calls that involve no traffic: creation, destruction, what is in use, what does not exist, limits.
#include <array>
#include <cerrno>

#include "tests/rxe/harness/expect.h"
#include "tests/rxe/harness/solo.h"

namespace rocelab::test {

namespace {

/// A device whose tables hold two of everything.
rxe::DeviceOptions tiny() {
  rxe::DeviceOptions options = device_options(1);
  options.limits.max_pd = options.limits.max_mr = options.limits.max_mw = options.limits.max_ah = 2;
  options.limits.max_cq = options.limits.max_srq = options.limits.max_qp = 2;
  return options;
}

}  // namespace

TEST_CASE("verbs: protection domains come and go, in use they are EBUSY", "[rxe][verbs]") {
  Solo solo;
  rxe::Device& device = solo.side.device;
  const auto pd = device.alloc_pd();
  REQUIRE(pd.has_value());
  std::array<std::byte, 64> bytes{};
  const auto mr = device.reg_mr({.pd = *pd, .host = bytes.data(), .length = 64, .iova = 0, .access = 0});
  REQUIRE(mr.has_value());
  CHECK(code_of(device.dealloc_pd(*pd)) == EBUSY);
  REQUIRE(device.dereg_mr(mr->id));
  CHECK(device.dealloc_pd(*pd).has_value());
  CHECK(code_of(device.dealloc_pd(*pd)) == EINVAL);
}

TEST_CASE("verbs: whatever lives in a protection domain keeps it", "[rxe][verbs]") {
  Solo solo;
  rxe::Device& device = solo.side.device;
  const auto pd = *device.alloc_pd();
  const auto mw = device.alloc_mw(pd, rxe::MwType::k1);
  const auto fast = device.alloc_mr(pd, 100);
  const auto ah = device.create_ah(pd, route_to(2, kGidV2Ipv4));
  rxe::SrqAttr attr{.max_wr = 4, .max_sge = 1, .limit = 0};
  const auto srq = device.create_srq(pd, attr, nullptr);
  REQUIRE((mw && fast && ah && srq));
  CHECK(code_of(device.dealloc_pd(pd)) == EBUSY);
  REQUIRE(device.dealloc_mw(mw->id));
  CHECK(code_of(device.dealloc_pd(pd)) == EBUSY);
  REQUIRE(device.dereg_mr(fast->id));
  CHECK(code_of(device.dealloc_pd(pd)) == EBUSY);
  REQUIRE(device.destroy_ah(*ah));
  CHECK(code_of(device.dealloc_pd(pd)) == EBUSY);
  REQUIRE(device.destroy_srq(*srq));
  CHECK(device.dealloc_pd(pd).has_value());
}

TEST_CASE("verbs: the device's limits are ENOMEM", "[rxe][verbs][limits]") {
  Solo solo(tiny());
  rxe::Device& device = solo.side.device;
  const rxe::PdId pd = solo.side.pd;
  REQUIRE(device.alloc_pd());
  CHECK(code_of(device.alloc_pd()) == ENOMEM);
  const rxe::MrInit init{.pd = pd, .host = nullptr, .length = 8, .iova = 0, .access = 0};
  REQUIRE(device.reg_mr(init));
  REQUIRE(device.alloc_mr(pd, 8));
  CHECK(code_of(device.reg_mr(init)) == ENOMEM);
  CHECK(code_of(device.alloc_mr(pd, 8)) == ENOMEM);
  REQUIRE(device.alloc_mw(pd, rxe::MwType::k1));
  REQUIRE(device.alloc_mw(pd, rxe::MwType::k2));
  CHECK(code_of(device.alloc_mw(pd, rxe::MwType::k2)) == ENOMEM);
  for (int i = 0; i < 2; ++i) {
    REQUIRE(device.create_ah(pd, route_to(2, kGidV2Ipv4)));
    REQUIRE(device.create_cq(1, nullptr));
    rxe::SrqAttr attr{.max_wr = 1, .max_sge = 1, .limit = 0};
    REQUIRE(device.create_srq(pd, attr, nullptr));
  }
  CHECK(code_of(device.create_ah(pd, route_to(2, kGidV2Ipv4))) == ENOMEM);
  CHECK(code_of(device.create_cq(1, nullptr)) == ENOMEM);
  rxe::SrqAttr attr{.max_wr = 1, .max_sge = 1, .limit = 0};
  CHECK(code_of(device.create_srq(pd, attr, nullptr)) == ENOMEM);
}

TEST_CASE("verbs: what does not exist is EINVAL everywhere", "[rxe][verbs]") {
  Solo solo;
  rxe::Device& device = solo.side.device;
  const rxe::PdId no_pd{77};
  CHECK(code_of(device.alloc_mr(no_pd, 8)) == EINVAL);
  CHECK(code_of(device.alloc_mw(no_pd, rxe::MwType::k1)) == EINVAL);
  CHECK(code_of(device.alloc_mw(solo.side.pd, static_cast<rxe::MwType>(3))) == EINVAL);
  CHECK(code_of(device.create_ah(no_pd, route_to(2, kGidV2Ipv4))) == EINVAL);
  rxe::SrqAttr attr{.max_wr = 1, .max_sge = 1, .limit = 0};
  CHECK(code_of(device.create_srq(no_pd, attr, nullptr)) == EINVAL);
  CHECK(code_of(device.dealloc_pd(no_pd)) == EINVAL);
  CHECK(code_of(device.dereg_mr(rxe::MrId{77})) == EINVAL);
  CHECK(code_of(device.rereg_mr(rxe::MrId{77}, rxe::Device::ReregMask::kPd, {})) == EINVAL);
  CHECK(code_of(device.dealloc_mw(rxe::MwId{77})) == EINVAL);
  CHECK(code_of(device.next_mw_rkey(rxe::MwId{77})) == EINVAL);
  CHECK(code_of(device.destroy_ah(rxe::AhId{77})) == EINVAL);
  CHECK(code_of(device.destroy_cq(rxe::CqId{77})) == EINVAL);
  CHECK(code_of(device.destroy_srq(rxe::SrqId{77})) == EINVAL);
  CHECK(code_of(device.query_srq(rxe::SrqId{77})) == EINVAL);
  CHECK(code_of(device.modify_srq(rxe::SrqId{77}, attr, true, true)) == EINVAL);
  CHECK(code_of(device.destroy_qp(0x77)) == EINVAL);
  CHECK(code_of(device.query_qp(0x77)) == EINVAL);
  CHECK(code_of(device.modify_qp(solo.side.now, 0x77, {}, rxe::qp_attr::kState)) == EINVAL);
  CHECK(code_of(device.post_send(solo.side.now, 0x77, {})) == EINVAL);
  CHECK(code_of(device.post_recv(solo.side.now, 0x77, {})) == EINVAL);
  std::array<rxe::Completion, 4> out;
  CHECK(device.poll_cq(rxe::CqId{77}, out) == 0);
  CHECK(device.cq_pending(rxe::CqId{77}) == 0);
  CHECK(device.cq_capacity(rxe::CqId{77}) == 0);
}

TEST_CASE("verbs: an address handle that cannot be sent to is EINVAL", "[rxe][verbs][ah]") {
  Solo solo;
  rxe::AddressVector av = route_to(2, kGidV2Ipv4);
  av.sgid_index = 99;
  CHECK(code_of(solo.side.device.create_ah(solo.side.pd, av)) == EINVAL);
  av = route_to(2, kGidV2Ipv4);
  av.dgid = {};
  CHECK(code_of(solo.side.device.create_ah(solo.side.pd, av)) == EINVAL);
  av.dgid = gid_of(2, kGidV2Ipv6);
  CHECK(code_of(solo.side.device.create_ah(solo.side.pd, av)) == EINVAL);
}

TEST_CASE("verbs: requests that make no sense are EINVAL when posted, and nothing is queued", "[rxe][verbs][post]") {
  Solo solo;
  SoloQp qp(solo);
  REQUIRE(qp.ready);
  CHECK(code_of(qp.post(Work(1, static_cast<rxe::SendOpcode>(77)))) == EINVAL);
  CHECK(code_of(qp.post(Work::read(1, {0, 0}).inlined(&solo, 8))) == EINVAL);
  CHECK(code_of(qp.post(Work::fetch_add(1, {0, 0}, 1))) == EINVAL);
  solo.speak();
  CHECK(solo.sent.empty());
  expect_nothing(qp);
}

TEST_CASE("verbs: a device can be destroyed with everything in it", "[rxe][verbs]") {
  Solo solo;
  SoloQp qp(solo);
  REQUIRE(qp.ready);
  REQUIRE(qp.post(Work::read(1, {0x1000, 1}).with(qp.sge(0, 4096))));
  REQUIRE(qp.recv(2, 0, 64));
  solo.speak();
  REQUIRE(solo.side.device.req_notify_cq(qp.send_cq, false));
  CHECK(solo.side.device.next_timeout().has_value());
}

TEST_CASE("verbs: a QP gets the number that it asks for, and reserved numbers only so", "[rxe][verbs]") {
  rxe::DeviceOptions options = device_options(1);
  options.qpn_first = 0x100;
  options.qpn_count = 6;
  options.qpn_reserved = 4;
  Solo solo(options);
  rxe::Device& device = solo.side.device;
  const auto cq = *device.create_cq(4, nullptr);
  const auto make = [&](rxe::Qpn number) {
    rxe::QpInit init{.pd = solo.side.pd, .send_cq = cq, .recv_cq = cq, .cap = {1, 1, 1, 1, 0}};
    init.number = number;
    return device.create_qp(init);
  };
  CHECK(make(0x102).value() == 0x102);
  CHECK(code_of(make(0x102)) == EBUSY);
  CHECK(code_of(make(0x106)) == EINVAL);
  CHECK(code_of(make(0xff)) == EINVAL);
  CHECK(make(0).value() == 0x104);
  CHECK(make(0).value() == 0x105);
  CHECK(code_of(make(0)) == ENOMEM);
  REQUIRE(device.destroy_qp(0x102));
  CHECK(make(0x102).value() == 0x102);
}

TEST_CASE("verbs: when the oldest completion was added can be asked without taking it", "[rxe][verbs]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  CHECK_FALSE(pair.a.device.next_completion_time(c.a.send_cq).has_value());
  REQUIRE(c.a.post(Work::write(1, c.b.remote(0)).with(c.a.sge(0, 8))));
  settle(pair);
  const auto when = pair.a.device.next_completion_time(c.a.send_cq);
  REQUIRE(when.has_value());
  rxe::Completion done;
  REQUIRE(pair.a.device.poll_cq(c.a.send_cq, {&done, 1}) == 1);
  CHECK(done.timestamp == *when);
  CHECK_FALSE(pair.a.device.next_completion_time(c.a.send_cq).has_value());
}

}  // namespace rocelab::test
