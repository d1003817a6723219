// Each vendor_err of docs/completion-status.md comes from the situation that the document names, with its status.
#include "rxe/vendor_error.h"

#include <vector>

#include "tests/rxe/harness/datagram.h"
#include "tests/rxe/harness/expect.h"
#include "tests/rxe/harness/solo.h"

namespace rocelab::test {

using rxe::VendorError;
using rxe::WcStatus;
using wire::Opcode;

namespace {

struct Fixture {
  Solo solo;
  SoloQp qp;
  explicit Fixture(const QpOptions& options = {}) : qp(solo, options) { REQUIRE(qp.ready); }

  rxe::Device& device() { return solo.side.device; }
  void post(Work work) {
    REQUIRE(qp.post(work));
    solo.speak();
  }
  void answer(Opcode opcode, std::uint32_t psn, std::size_t length = 0, wire::Aeth aeth = wire::Aeth::ack(1)) {
    solo.deliver(solo.from_peer(qp, opcode, psn).aeth(aeth).payload(length, 1));
    solo.speak();
  }
  /// The request with this id has failed so.
  void failed(std::uint64_t id, WcStatus status, VendorError reason) {
    CHECK(rxe::name(static_cast<VendorError>(expect_sent(qp, id, status).vendor_err)) == rxe::name(reason));
  }
  Work send_from(rxe::Sge sge) { return Work::send(1).with(sge); }
};

Work read64(Endpoint& e, std::uint64_t id = 1) { return Work::read(id, {0x1000, 1}).with(e.sge(0, 64)); }

}  // namespace

TEST_CASE("vendor_err: responses that cannot be right say what is wrong with them", "[rxe][vendor_err]") {
  {
    Fixture f;
    f.post(Work::send(1).with(f.qp.sge(0, 8)));
    f.answer(Opcode::kRcRdmaReadResponseOnly, 1000, 8);
    f.failed(1, WcStatus::kBadRespErr, VendorError::kUnexpectedOpcode);
  }
  {
    Fixture f;
    f.post(read64(f.qp));
    f.answer(Opcode::kRcAtomicAcknowledge, 1000);
    f.failed(1, WcStatus::kBadRespErr, VendorError::kUnexpectedOpcode);
  }
  {
    Fixture f;
    f.post(read64(f.qp));
    f.answer(Opcode::kRcRdmaReadResponseOnly, 1000, 63);
    f.failed(1, WcStatus::kBadRespErr, VendorError::kResponseLength);
  }
  {
    Fixture f;
    f.post(read64(f.qp));
    f.answer(Opcode::kRcRdmaReadResponseOnly, 1000, 65);
    f.failed(1, WcStatus::kLocLenErr, VendorError::kResponseTooLong);
  }
  {
    Fixture f;
    f.post(read64(f.qp));
    f.answer(Opcode::kRcRdmaReadResponseFirst, 1000, 1024);
    f.failed(1, WcStatus::kBadRespErr, VendorError::kResponseOrder);
  }
  {
    Fixture f;
    f.post(Work::send(1).with(f.qp.sge(0, 8)));
    f.answer(Opcode::kRcAcknowledge, 1000, 0, {0x60 | 9, 0});
    f.failed(1, WcStatus::kBadRespErr, VendorError::kNakReserved);
  }
}

TEST_CASE("vendor_err: read responses that keep being lost are told from a peer that is silent", "[rxe][vendor_err]") {
  Fixture f({.retry_cnt = 0});
  f.post(read64(f.qp, 1));
  f.post(read64(f.qp, 2));
  f.answer(Opcode::kRcRdmaReadResponseOnly, 1001, 64);
  f.failed(1, WcStatus::kRetryExcErr, VendorError::kImpliedNakRetries);
  CHECK(expect_sent(f.qp, 2, WcStatus::kWrFlushErr).vendor_err ==
        static_cast<std::uint32_t>(VendorError::kFlushedByError));
}

TEST_CASE("vendor_err: local memory that cannot be used says why", "[rxe][vendor_err]") {
  {
    Fixture f;
    const auto fast = f.device().alloc_mr(f.solo.side.pd, 100);
    f.post(f.send_from({0, 8, fast->lkey}));
    f.failed(1, WcStatus::kLocProtErr, VendorError::kLocalNotValid);
  }
  {
    Fixture f;
    const auto pd = *f.device().alloc_pd();
    Region foreign(f.device(), pd, 64);
    f.post(f.send_from(foreign.sge(0, 8)));
    f.failed(1, WcStatus::kLocProtErr, VendorError::kLocalWrongPd);
  }
  {
    Fixture f;
    f.post(f.send_from(f.qp.sge(f.qp.memory.size() - 7, 8)));
    f.failed(1, WcStatus::kLocProtErr, VendorError::kLocalOutOfRange);
  }
  {
    Fixture f;
    f.post(f.send_from({f.qp.memory.iova(), 8, 0}));
    f.failed(1, WcStatus::kLocProtErr, VendorError::kLocalUnknownKey);
  }
  {
    Fixture f;  // a window's rkey is no lkey
    const auto mw = f.device().alloc_mw(f.solo.side.pd, rxe::MwType::k1);
    f.post(f.send_from({f.qp.memory.iova(), 8, mw->rkey}));
    f.failed(1, WcStatus::kLocProtErr, VendorError::kLocalUnknownKey);
  }
}

TEST_CASE("vendor_err: work on keys that is refused says why", "[rxe][vendor_err]") {
  const auto bind = [](Fixture& f, const rxe::MwInfo& mw, rxe::MrId mr, std::uint32_t key) {
    return Work::bind(1, {.mw = mw.id,
                          .mr = mr,
                          .rkey = key,
                          .addr = f.qp.memory.iova(),
                          .length = 64,
                          .access = rxe::access::kRemoteWrite});
  };
  {
    Fixture f;
    f.post(Work::local_inv(1, 0x77'0000));
    f.failed(1, WcStatus::kLocQpOpErr, VendorError::kKeyUnknown);
  }
  {
    Fixture f;
    const auto mw = *f.device().alloc_mw(f.solo.side.pd, rxe::MwType::k2);
    f.post(Work::local_inv(1, mw.rkey));
    f.failed(1, WcStatus::kLocQpOpErr, VendorError::kKeyNotValid);
  }
  {
    Fixture f;
    const auto mw = *f.device().alloc_mw(f.solo.side.pd, rxe::MwType::k2);
    f.post(bind(f, mw, f.qp.memory.mr().id, mw.rkey));  // the present key
    f.failed(1, WcStatus::kMwBindErr, VendorError::kKeyUnknown);
  }
  {
    Fixture f;
    const auto mw = *f.device().alloc_mw(*f.device().alloc_pd(), rxe::MwType::k2);
    f.post(bind(f, mw, f.qp.memory.mr().id, *f.device().next_mw_rkey(mw.id)));
    f.failed(1, WcStatus::kMwBindErr, VendorError::kKeyWrongPd);
  }
  {
    Fixture f;
    const auto mw = *f.device().alloc_mw(f.solo.side.pd, rxe::MwType::k2);
    Region plain(f.device(), f.solo.side.pd, 64, rxe::access::kLocalWrite);
    f.post(bind(f, mw, plain.mr().id, *f.device().next_mw_rkey(mw.id)));
    f.failed(1, WcStatus::kMwBindErr, VendorError::kKeyNoRight);
  }
  {
    Fixture f;
    const auto mw = *f.device().alloc_mw(f.solo.side.pd, rxe::MwType::k2);
    f.post(bind(f, mw, f.qp.memory.mr().id, *f.device().next_mw_rkey(mw.id)));
    expect_sent(f.qp, 1);
    f.post(bind(f, mw, f.qp.memory.mr().id, *f.device().next_mw_rkey(mw.id)));
    f.failed(1, WcStatus::kMwBindErr, VendorError::kKeyBusy);
  }
}

TEST_CASE("vendor_err: datagrams whose address handle does not do say why", "[rxe][vendor_err][ud]") {
  Pair pair;
  DatagramPair d(pair);
  REQUIRE(d.valid);
  const auto foreign = pair.a.device.create_ah(*pair.a.device.alloc_pd(), route_to(2, kGidV2Ipv4));
  REQUIRE(foreign.has_value());
  const auto post = [&](rxe::AhId ah, VendorError reason) {
    const auto posted = d.a.post(Work::send(1).to(ah, d.b.qpn, d.b.options.qkey).with(d.a.sge(0, 8)));
    settle(pair);
    if (!posted) return;  // refused at once is as good
    CHECK(expect_sent(d.a, 1, WcStatus::kLocQpOpErr).vendor_err == static_cast<std::uint32_t>(reason));
    CHECK(d.a.state() == rxe::QpState::kSqe);
    REQUIRE(d.a.to_state(rxe::QpState::kRts));
  };
  post(*foreign, VendorError::kAddressWrongPd);
  post(rxe::AhId{999}, VendorError::kBadAddressHandle);
  CHECK(pair.sent.empty());
}

}  // namespace rocelab::test
