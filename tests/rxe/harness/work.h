// A send work request that owns its scatter/gather list, built in one expression:
// `Work::write(1, b.memory.remote(0)).with(a.memory.sge(0, 64)).imm(7).solicited()`. Signalled unless said otherwise.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "rxe/types.h"
#include "tests/rxe/harness/region.h"

namespace rocelab::test {

class Work {
 public:
  Work(std::uint64_t wr_id, rxe::SendOpcode opcode) {
    request_.wr_id = wr_id;
    request_.opcode = opcode;
    request_.flags = rxe::send_flag::kSignaled;
  }
  static Work send(std::uint64_t wr_id) { return Work(wr_id, rxe::SendOpcode::kSend); }
  static Work write(std::uint64_t wr_id, Remote remote) { return Work(wr_id, rxe::SendOpcode::kRdmaWrite).at(remote); }
  static Work read(std::uint64_t wr_id, Remote remote) { return Work(wr_id, rxe::SendOpcode::kRdmaRead).at(remote); }
  static Work compare_swap(std::uint64_t wr_id, Remote remote, std::uint64_t compare, std::uint64_t swap) {
    Work work = Work(wr_id, rxe::SendOpcode::kAtomicCmpAndSwp).at(remote);
    work.request_.compare_add = compare;
    work.request_.swap = swap;
    return work;
  }
  static Work fetch_add(std::uint64_t wr_id, Remote remote, std::uint64_t add) {
    Work work = Work(wr_id, rxe::SendOpcode::kAtomicFetchAndAdd).at(remote);
    work.request_.compare_add = add;
    return work;
  }
  static Work local_inv(std::uint64_t wr_id, std::uint32_t rkey) {
    Work work(wr_id, rxe::SendOpcode::kLocalInv);
    work.request_.invalidate_rkey = rkey;
    return work;
  }
  static Work bind(std::uint64_t wr_id, const rxe::SendRequest::Bind& bind) {
    Work work(wr_id, rxe::SendOpcode::kBindMw);
    work.request_.bind = bind;
    return work;
  }
  static Work reg_mr(std::uint64_t wr_id, const rxe::SendRequest::Register& reg) {
    Work work(wr_id, rxe::SendOpcode::kRegMr);
    work.request_.reg = reg;
    return work;
  }

  Work& at(Remote remote) {
    request_.remote_addr = remote.addr;
    request_.rkey = remote.rkey;
    return *this;
  }
  Work& with(rxe::Sge sge) {
    sges_.push_back(sge);
    return *this;
  }
  Work& imm(std::uint32_t value) {
    request_.immediate = value;
    request_.opcode = request_.opcode == rxe::SendOpcode::kRdmaWrite ? rxe::SendOpcode::kRdmaWriteWithImm
                                                                     : rxe::SendOpcode::kSendWithImm;
    return *this;
  }
  Work& invalidating(std::uint32_t rkey) {
    request_.opcode = rxe::SendOpcode::kSendWithInv;
    request_.invalidate_rkey = rkey;
    return *this;
  }
  Work& to(rxe::AhId ah, rxe::Qpn qpn, std::uint32_t qkey) {
    request_.ah = ah;
    request_.remote_qpn = qpn;
    request_.remote_qkey = qkey;
    return *this;
  }
  Work& flag(std::uint32_t bits) {
    request_.flags |= bits;
    return *this;
  }
  Work& solicited() { return flag(rxe::send_flag::kSolicited); }
  Work& fenced() { return flag(rxe::send_flag::kFence); }
  Work& unsignaled() {
    request_.flags &= ~rxe::send_flag::kSignaled;
    return *this;
  }
  /// The bytes at `host` are copied by post_send.
  Work& inlined(const void* host, std::size_t length) {
    sges_.push_back({reinterpret_cast<std::uint64_t>(host), static_cast<std::uint32_t>(length), 0});
    return flag(rxe::send_flag::kInline);
  }

  /// Valid while this object is.
  const rxe::SendRequest& request() {
    request_.sges = sges_;
    return request_;
  }

 private:
  rxe::SendRequest request_;
  std::vector<rxe::Sge> sges_;
};

}  // namespace rocelab::test
