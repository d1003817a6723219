// The verbs calls of a script, by object. See script.h.
#include <algorithm>

#include "tests/rxe/script/script.h"
#include "wire/gid.h"

namespace rocelab::test::script {

void Script::call_memory(Half& half) {
  rxe::Device& device = half.side.device;
  switch (bytes_.below(7)) {
    case 0: {  // register, in an allocation of exactly this size
      if (half.memories.size() >= kObjectsMax) return;
      const std::uint64_t length = bytes_.u16() % (kMemoryBytes + 1);
      half.storage.push_back(std::make_unique<std::byte[]>(length));
      rxe::MrInit init{.pd = one_of(half.pds),
                       .host = bytes_.one_in(16) ? nullptr : half.storage.back().get(),
                       .length = length,
                       .iova = bytes_.one_in(4) ? bytes_.u64() : 0x10000,
                       .access = bytes_.u8() & 0x3fu};
      if (bytes_.one_in(2)) init.access |= rxe::access::kLocalWrite;
      const auto mr = device.reg_mr(init);
      if (note(mr)) {
        half.memories.push_back({*mr, (init.access & rxe::access::kZeroBased) != 0 ? 0 : init.iova, length});
      }
      return;
    }
    case 1: {
      if (half.memories.empty()) return;
      const std::size_t at = bytes_.below(half.memories.size());
      if (note(device.dereg_mr(half.memories[at].info.id))) {
        half.memories.erase(half.memories.begin() + static_cast<std::ptrdiff_t>(at));
      }
      return;
    }
    case 2: {
      if (half.memories.empty()) return;
      Memory& memory = half.memories[bytes_.below(half.memories.size())];
      half.storage.push_back(std::make_unique<std::byte[]>(kMemoryBytes));
      const rxe::MrInit init{.pd = one_of(half.pds),
                             .host = half.storage.back().get(),
                             .length = kMemoryBytes,
                             .iova = bytes_.u16(),
                             .access = bytes_.u8() & 0x1fu};
      const std::uint32_t mask = bytes_.u8() & 7u;
      const auto mr = device.rereg_mr(memory.info.id, mask, init);
      if (!note(mr)) return;
      memory.info = *mr;
      if ((mask & rxe::Device::ReregMask::kTranslation) != 0) memory.iova = init.iova, memory.length = init.length;
      return;
    }
    case 3: {
      if (half.fast.size() >= kObjectsMax) return;
      const auto mr = device.alloc_mr(one_of(half.pds), bytes_.u16());
      if (note(mr)) half.fast.push_back(*mr);
      return;
    }
    case 4: {
      if (half.windows.size() >= kObjectsMax) return;
      const auto mw = device.alloc_mw(one_of(half.pds), static_cast<rxe::MwType>(1 + bytes_.below(2)));
      if (note(mw)) half.windows.push_back(*mw);
      return;
    }
    case 5: {
      if (half.windows.empty()) return;
      const std::size_t at = bytes_.below(half.windows.size());
      if (note(device.dealloc_mw(half.windows[at].id))) {
        half.windows.erase(half.windows.begin() + static_cast<std::ptrdiff_t>(at));
      }
      return;
    }
    default:
      note(device.dereg_mr(static_cast<rxe::MrId>(0x10000u + bytes_.u16())));
  }
}

void Script::call_queues(Half& half) {
  rxe::Device& device = half.side.device;
  switch (bytes_.below(8)) {
    case 0: {
      if (half.cqs.size() >= kObjectsMax) return;
      const auto cq = device.create_cq(bytes_.u8() % 32, nullptr);
      if (note(cq)) half.cqs.push_back(*cq);
      return;
    }
    case 1: {
      if (half.cqs.size() < 2) return;
      poll(half);  // completions of a destroyed queue would be missed
      const rxe::CqId cq = half.cqs[1 + bytes_.below(half.cqs.size() - 1)];
      if (note(device.destroy_cq(cq))) std::erase(half.cqs, cq);
      return;
    }
    case 2:
      note(device.resize_cq(one_of(half.cqs), bytes_.u8()));
      return;
    case 3:
      note(device.req_notify_cq(one_of(half.cqs), bytes_.one_in(2)));
      return;
    case 4: {
      if (half.srqs.size() >= kObjectsMax) return;
      rxe::SrqAttr attr{.max_wr = bytes_.u8() % 16u, .max_sge = bytes_.u8() % 4u, .limit = bytes_.u8() % 4u};
      const auto srq = bytes_.one_in(2) ? device.create_srq(one_of(half.pds), attr, nullptr)
                                        : device.create_xrc_srq(one_of(half.pds), one_of(half.xrcds), one_of(half.cqs),
                                                                attr, nullptr);
      if (note(srq)) half.srqs.push_back(*srq);
      return;
    }
    case 5: {
      if (half.srqs.empty()) return;
      const rxe::SrqId srq = half.srqs[bytes_.below(half.srqs.size())];
      if (note(device.destroy_srq(srq))) std::erase(half.srqs, srq);
      return;
    }
    case 6:
      note(device.modify_srq(one_of(half.srqs), {.max_wr = bytes_.u8() % 32u, .max_sge = 0, .limit = bytes_.u8() % 8u},
                             bytes_.one_in(2), bytes_.one_in(2)));
      return;
    default: {
      const rxe::Sge pieces[] = {sge(half), sge(half)};
      const std::uint64_t id = next_id_++;
      if (note(device.post_srq_recv(one_of(half.srqs), {.wr_id = id, .sges = {pieces, bytes_.below(3)}}))) {
        half.shared_receives.insert(id);
      }
    }
  }
}

void Script::create_qp(Half& half) {
  if (half.qps.size() >= kObjectsMax) return;
  static constexpr rxe::QpType kTypes[] = {rxe::QpType::kRc,  rxe::QpType::kUc,      rxe::QpType::kUd,
                                           rxe::QpType::kGsi, rxe::QpType::kXrcSend, rxe::QpType::kXrcRecv};
  rxe::QpInit init;
  init.type = kTypes[bytes_.below(std::size(kTypes))];
  init.xrcd = one_of(half.xrcds);
  init.pd = one_of(half.pds);
  init.send_cq = one_of(half.cqs);
  init.recv_cq = one_of(half.cqs);
  init.has_srq = bytes_.one_in(3);
  if (init.has_srq) init.srq = one_of(half.srqs);
  init.cap = {.max_send_wr = bytes_.u8() % 16u,
              .max_recv_wr = bytes_.u8() % 16u,
              .max_send_sge = bytes_.u8() % 4u,
              .max_recv_sge = bytes_.u8() % 4u,
              .max_inline_data = bytes_.u8()};
  init.sq_sig_all = bytes_.one_in(2);
  const auto qpn = half.side.device.create_qp(init);
  if (note(qpn)) half.qps.push_back({*qpn, init.type, init.has_srq});
}

void Script::call_qp(Half& half) {
  rxe::Device& device = half.side.device;
  switch (bytes_.below(6)) {
    case 4: {
      if (half.xrcds.size() < kObjectsMax && bytes_.one_in(2)) {
        const auto xrcd = device.alloc_xrcd();
        if (note(xrcd)) half.xrcds.push_back(*xrcd);
        return;
      }
      const rxe::XrcdId xrcd = one_of(half.xrcds);
      if (note(device.dealloc_xrcd(xrcd))) std::erase(half.xrcds, xrcd);
      return;
    }
    case 0:
    case 1:
      return create_qp(half);
    case 2: {
      if (half.qps.empty()) return;
      const std::size_t at = bytes_.below(half.qps.size());
      const rxe::Qpn qpn = half.qps[at].qpn;
      poll(half);
      if (!note(device.destroy_qp(qpn))) return;
      forget_qp(half, qpn);
      half.qps.erase(half.qps.begin() + static_cast<std::ptrdiff_t>(at));
      return;
    }
    case 3:
      note(device.query_qp(half.qps.empty() ? bytes_.u16() : half.qps[bytes_.below(half.qps.size())].qpn));
      return;
    default:
      if (half.pds.size() < kObjectsMax) {
        const auto pd = device.alloc_pd();
        if (note(pd)) half.pds.push_back(*pd);
      }
  }
}

void Script::modify(Half& half) {
  namespace attr = rxe::qp_attr;
  if (half.qps.empty()) return;
  const Qp& qp = half.qps[bytes_.below(half.qps.size())];
  const auto queried = half.side.device.query_qp(qp.qpn);
  if (!note(queried)) return;
  rxe::QpAttr a = *queried;
  const rxe::QpState states[] = {rxe::QpState::kReset, rxe::QpState::kInit, rxe::QpState::kRtr, rxe::QpState::kRts,
                                 rxe::QpState::kSqd,   rxe::QpState::kErr,  rxe::QpState::kSqe};
  a.state = states[bytes_.below(std::size(states))];
  std::uint32_t mask = attr::kState;
  const bool datagram = qp.type == rxe::QpType::kUd || qp.type == rxe::QpType::kGsi;
  Half& other = &half == &a_ ? b_ : a_;
  // Mostly what the transition wants, now and then anything.
  if (a.state == rxe::QpState::kInit) {
    mask |= attr::kPkeyIndex | (qp.type == rxe::QpType::kGsi ? 0 : attr::kPort);
    mask |= datagram ? attr::kQkey : attr::kAccessFlags;
    a.access_flags = bytes_.u8() & 0x0eu;
    a.qkey = 0x1111;
    a.port = 1;
  } else if (a.state == rxe::QpState::kRtr && !datagram) {
    mask |= attr::kAv | attr::kPathMtu | attr::kDestQpn | attr::kRqPsn;
    if (qp.type == rxe::QpType::kRc || qp.type == rxe::QpType::kXrcRecv)
      mask |= attr::kMaxDestRdAtomic | attr::kMinRnrTimer;
    a.av = route_to(other.side.number, static_cast<std::uint8_t>(bytes_.below(4)));
    a.path_mtu = static_cast<rxe::PathMtu>(1 + bytes_.below(5));
    a.dest_qpn = other.qps.empty() ? 7 : other.qps[bytes_.below(other.qps.size())].qpn;
    a.rq_psn = bytes_.u8();
    a.max_dest_rd_atomic = static_cast<std::uint8_t>(bytes_.below(4));
    a.min_rnr_timer = static_cast<std::uint8_t>(bytes_.below(32));
  } else if (a.state == rxe::QpState::kRts) {
    mask |= attr::kSqPsn;
    if (qp.type == rxe::QpType::kXrcRecv) mask |= attr::kTimeout;
    if (qp.type == rxe::QpType::kRc || qp.type == rxe::QpType::kXrcSend) {
      mask |= attr::kTimeout | attr::kRetryCnt | attr::kRnrRetry | attr::kMaxQpRdAtomic;
    }
    a.sq_psn = bytes_.u8();
    a.timeout = static_cast<std::uint8_t>(bytes_.below(32));
    a.retry_cnt = static_cast<std::uint8_t>(bytes_.below(8));
    a.rnr_retry = static_cast<std::uint8_t>(bytes_.below(8));
    a.max_rd_atomic = static_cast<std::uint8_t>(bytes_.below(4));
    if (bytes_.one_in(2)) mask = attr::kState;
  }
  if (bytes_.one_in(16)) mask ^= 1u << bytes_.below(26);
  if (bytes_.one_in(16)) a.path_mtu = static_cast<rxe::PathMtu>(bytes_.u8());
  if (bytes_.one_in(16)) a.av.dgid.bytes[bytes_.below(16)] = bytes_.u8();
  if (bytes_.one_in(16)) a.av.sgid_index = bytes_.u8();
  poll(half);
  const bool resets = (mask & attr::kState) != 0 && a.state == rxe::QpState::kReset;
  if (note(half.side.device.modify_qp(now_, qp.qpn, a, mask)) && resets) {
    poll(half);
    forget_qp(half, qp.qpn);
  }
}

std::uint32_t Script::some_key(Half& half) {
  switch (bytes_.below(6)) {
    case 0:
      return bytes_.u32();
    case 1:
      return half.secret_mr.rkey;
    case 2:
      return half.windows.empty() ? 0 : half.windows[bytes_.below(half.windows.size())].rkey + bytes_.u8() % 4;
    case 3:
      return half.fast.empty() ? 0 : half.fast[bytes_.below(half.fast.size())].rkey;
    default:
      return half.memories.empty() ? 0 : half.memories[bytes_.below(half.memories.size())].info.rkey;
  }
}

std::uint32_t Script::some_srq_number(Half& half) {
  const auto number = half.side.device.srq_number(one_of(half.srqs));
  return number ? *number : bytes_.u32() & 0xff'ffff;
}

rxe::Sge Script::sge(Half& half) {
  if (half.memories.empty() || bytes_.one_in(16)) return {bytes_.u16(), bytes_.u16(), bytes_.u32()};
  const Memory& memory = half.memories[bytes_.below(half.memories.size())];
  const std::uint64_t offset = bytes_.u16() % (kMemoryBytes + 64);
  std::uint32_t length = bytes_.u16() % 2048;
  if (!bytes_.one_in(8)) length = static_cast<std::uint32_t>(std::min<std::uint64_t>(length, memory.length / 2));
  const std::uint64_t room = memory.length - std::min<std::uint64_t>(length, memory.length);
  return {memory.iova + (bytes_.one_in(8) ? offset : offset % (room + 1)), length,
          bytes_.one_in(32) ? half.secret_mr.lkey : memory.info.lkey};
}

void Script::post_send(Half& half) {
  if (half.qps.empty()) return;
  Half& other = &half == &a_ ? b_ : a_;
  const Qp& qp = half.qps[bytes_.below(std::min<std::size_t>(half.qps.size(), bytes_.one_in(4) ? kObjectsMax : 4))];
  static constexpr rxe::SendOpcode kOpcodes[] = {rxe::SendOpcode::kSend,
                                                 rxe::SendOpcode::kRdmaWrite,
                                                 rxe::SendOpcode::kRdmaRead,
                                                 rxe::SendOpcode::kSendWithImm,
                                                 rxe::SendOpcode::kRdmaWriteWithImm,
                                                 rxe::SendOpcode::kAtomicCmpAndSwp,
                                                 rxe::SendOpcode::kAtomicFetchAndAdd,
                                                 rxe::SendOpcode::kLocalInv,
                                                 rxe::SendOpcode::kBindMw,
                                                 rxe::SendOpcode::kSendWithInv,
                                                 rxe::SendOpcode::kRegMr,
                                                 rxe::SendOpcode::kFlush,
                                                 rxe::SendOpcode::kAtomicWrite,
                                                 static_cast<rxe::SendOpcode>(99)};
  rxe::SendRequest request;
  request.wr_id = next_id_++;
  request.opcode = kOpcodes[bytes_.below(std::size(kOpcodes))];
  request.flags = bytes_.u8() & 0x0fu & ~(bytes_.one_in(4) ? 0u : rxe::send_flag::kInline);
  rxe::Sge pieces[4] = {sge(half), sge(half), sge(half), sge(half)};
  std::byte inlined[64] = {};
  if ((request.flags & rxe::send_flag::kInline) != 0) {
    for (rxe::Sge& piece : pieces) piece = {reinterpret_cast<std::uint64_t>(inlined), bytes_.u8() % 65u, 0};
  }
  std::size_t count = bytes_.below(3);
  const bool atomic =
      request.opcode == rxe::SendOpcode::kAtomicCmpAndSwp || request.opcode == rxe::SendOpcode::kAtomicFetchAndAdd;
  if (atomic && !bytes_.one_in(8)) count = 1, pieces[0].length = 8;
  request.sges = {pieces, count};
  request.immediate = bytes_.u8();
  request.invalidate_rkey = some_key(request.opcode == rxe::SendOpcode::kLocalInv || bytes_.one_in(4) ? half : other);
  request.remote_addr = 0x10000 + bytes_.u16() % 5000u;
  if (atomic && !bytes_.one_in(8)) request.remote_addr &= ~std::uint64_t{7};
  request.rkey = bytes_.one_in(8) ? some_key(other) : (other.memories.empty() ? 0 : other.memories[0].info.rkey);
  request.compare_add = bytes_.u8();
  request.flush = {bytes_.u16(), static_cast<std::uint8_t>(1 + bytes_.below(4)),
                   static_cast<std::uint8_t>(bytes_.below(3))};
  if (request.opcode == rxe::SendOpcode::kAtomicWrite && !bytes_.one_in(4))
    pieces[0].length = 8, count = bytes_.below(2);
  if (request.opcode == rxe::SendOpcode::kFlush && !bytes_.one_in(8)) count = 0;
  request.sges = {pieces, count};
  request.swap = bytes_.u8();
  request.srq_number = some_srq_number(other);
  request.ah = one_of(half.ahs);
  request.remote_qpn = other.qps.empty() ? 0 : other.qps[bytes_.below(other.qps.size())].qpn;
  request.remote_qkey = bytes_.one_in(8) ? bytes_.u32() : 0x1111;
  if (bytes_.one_in(8)) request.remote_qpn = rxe::kMulticastQpn;
  if (!half.windows.empty() && !half.memories.empty()) {
    const rxe::MwInfo& window = half.windows[bytes_.below(half.windows.size())];
    const Memory& memory = half.memories[bytes_.below(half.memories.size())];
    const auto key = half.side.device.next_mw_rkey(window.id);
    request.bind = {.mw = window.id,
                    .mr = memory.info.id,
                    .rkey = key ? *key : 0,
                    .addr = memory.iova + bytes_.u8(),
                    .length = bytes_.u16(),
                    .access = bytes_.u8() & 0x2eu};
  }
  if (!half.fast.empty()) {
    const rxe::MrInfo& mr = half.fast[bytes_.below(half.fast.size())];
    half.storage.push_back(std::make_unique<std::byte[]>(kMemoryBytes));
    request.reg = {.mr = mr.id,
                   .key = (mr.rkey & ~0xffu) | bytes_.u8(),
                   .host = half.storage.back().get(),
                   .iova = bytes_.u16(),
                   .length = bytes_.u16() % (kMemoryBytes + 1),
                   .access = bytes_.u8() & 0x1fu};
  }
  if (note(half.side.device.post_send(now_, qp.qpn, request))) half.outstanding[request.wr_id] = qp.qpn;
}

void Script::post_recv(Half& half) {
  if (half.qps.empty()) return;
  const Qp& qp = half.qps[bytes_.below(half.qps.size())];
  const rxe::Sge pieces[] = {sge(half), sge(half), sge(half)};
  const std::uint64_t id = next_id_++;
  if (note(half.side.device.post_recv(now_, qp.qpn, {.wr_id = id, .sges = {pieces, bytes_.below(4)}}))) {
    half.outstanding[id] = qp.qpn;
  }
}

void Script::call_addresses(Half& half) {
  rxe::Device& device = half.side.device;
  const wire::Gid group = *wire::parse_gid("239.1.2.3");
  const rxe::Qpn qpn = half.qps.empty() ? bytes_.u16() : half.qps[bytes_.below(half.qps.size())].qpn;
  switch (bytes_.below(6)) {
    case 0: {
      if (half.ahs.size() >= kObjectsMax) return;
      rxe::AddressVector av = route_to(half.side.number == 1 ? 2 : 1, static_cast<std::uint8_t>(bytes_.below(5)));
      if (bytes_.one_in(3)) av.dgid = group;
      const auto ah = device.create_ah(one_of(half.pds), av);
      if (note(ah)) half.ahs.push_back(*ah);
      return;
    }
    case 1: {
      const rxe::AhId ah = one_of(half.ahs);
      if (note(device.destroy_ah(ah))) std::erase(half.ahs, ah);
      return;
    }
    case 2:
      note(device.attach_mcast(qpn, group));
      return;
    case 3:
      note(device.detach_mcast(qpn, group));
      return;
    case 4: {
      rxe::GidEntry entry;
      entry.gid = gid_of(half.side.number + static_cast<unsigned>(bytes_.below(2)) * 7, kGidV2Ipv4);
      entry.valid = !bytes_.one_in(3);
      note(device.set_gid(4 + bytes_.below(130), entry));
      return;
    }
    default:
      device.handle_port_state(now_, !bytes_.one_in(2));
  }
}

}  // namespace rocelab::test::script
