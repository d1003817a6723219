// The frame of a script: what it starts with, its steps, packets and time, and how it ends. See script.h.
#include "tests/rxe/script/script.h"

#include <algorithm>
#include <cerrno>

namespace rocelab::test::script {

namespace {

constexpr std::size_t kStepsMax = 4000;
constexpr std::byte kSecretByte{0x5e};

}  // namespace

Script::Script(std::span<const std::uint8_t> bytes) : bytes_(bytes) {
  for (Half* half : {&a_, &b_}) {
    half->side.now = now_;
    half->side.out = [this, half](const wire::Packet& packet) {
      if (flying_.size() < kFlyingMax) flying_.push_back({half == &a_, OwnedPacket(packet)});
    };
    prepare(*half);
  }
  for (std::size_t i = 0; i < a_.qps.size(); ++i) connect(i);
}

/// Enough to begin with: a region, a queue, one QP of each service.
void Script::prepare(Half& half) {
  rxe::Device& device = half.side.device;
  half.pds.push_back(half.side.pd);
  half.storage.push_back(std::make_unique<std::byte[]>(kMemoryBytes));
  const auto iova = std::uint64_t{0x10000};
  if (const auto mr = device.reg_mr({.pd = half.side.pd,
                                     .host = half.storage.back().get(),
                                     .length = kMemoryBytes,
                                     .iova = iova,
                                     .access = kAllAccess | rxe::access::kFlushGlobal})) {
    half.memories.push_back({*mr, iova, kMemoryBytes});
  }
  half.secret = std::make_unique<std::byte[]>(kMemoryBytes);
  std::fill_n(half.secret.get(), kMemoryBytes, kSecretByte);
  if (const auto mr = device.reg_mr(
          {.pd = half.side.pd, .host = half.secret.get(), .length = kMemoryBytes, .iova = iova, .access = 0})) {
    half.secret_mr = *mr;
  }
  if (const auto cq = device.create_cq(64, nullptr)) half.cqs.push_back(*cq);
  rxe::SrqAttr attr{.max_wr = 8, .max_sge = 2, .limit = 0};
  if (const auto srq = device.create_srq(half.side.pd, attr, nullptr)) half.srqs.push_back(*srq);
  if (const auto ah = device.create_ah(half.side.pd, route_to(half.side.number == 1 ? 2 : 1, kGidV2Ipv4))) {
    half.ahs.push_back(*ah);
  }
  if (const auto xrcd = device.alloc_xrcd()) half.xrcds.push_back(*xrcd);
  if (const auto srq = device.create_xrc_srq(half.side.pd, half.xrcds[0], half.cqs[0], attr, nullptr)) {
    half.srqs.push_back(*srq);
  }
  for (const rxe::QpType type : {rxe::QpType::kRc, rxe::QpType::kRc, rxe::QpType::kUc, rxe::QpType::kUd,
                                 rxe::QpType::kXrcSend, rxe::QpType::kXrcRecv}) {
    rxe::QpInit init;
    init.type = type;
    init.pd = half.side.pd;
    init.xrcd = half.xrcds[0];
    init.send_cq = init.recv_cq = half.cqs[0];
    init.cap = {.max_send_wr = 8, .max_recv_wr = 8, .max_send_sge = 3, .max_recv_sge = 3, .max_inline_data = 64};
    if (const auto qpn = device.create_qp(init)) half.qps.push_back({*qpn, type, false});
  }
}

/// Brings the QPs of this number at both ends to RTS, each the other's peer.
void Script::connect(std::size_t index) {
  namespace attr = rxe::qp_attr;
  for (Half* half : {&a_, &b_}) {
    Half& other = half == &a_ ? b_ : a_;
    const Qp& qp = half->qps[index];
    const bool datagram = qp.type == rxe::QpType::kUd;
    const bool asks = qp.type == rxe::QpType::kRc || qp.type == rxe::QpType::kXrcSend;
    const bool answers = qp.type == rxe::QpType::kRc || qp.type == rxe::QpType::kXrcRecv;
    // Initiators and targets stand side by side.
    const std::size_t partner = qp.type == rxe::QpType::kXrcSend   ? index + 1
                                : qp.type == rxe::QpType::kXrcRecv ? index - 1
                                                                   : index;
    rxe::QpAttr a;
    a.qkey = 0x1111;
    a.access_flags =
        rxe::access::kRemoteWrite | rxe::access::kRemoteRead | rxe::access::kRemoteAtomic | rxe::access::kFlushGlobal;
    a.av = route_to(other.side.number, kGidV2Ipv4);
    a.path_mtu = rxe::PathMtu::k256;
    a.dest_qpn = other.qps[partner].qpn;
    a.max_rd_atomic = a.max_dest_rd_atomic = 2;
    a.timeout = 8;
    a.retry_cnt = 2;
    a.rnr_retry = 2;
    a.min_rnr_timer = 1;
    const auto to = [&](rxe::QpState state, std::uint32_t mask) {
      a.state = state;
      note(half->side.device.modify_qp(now_, qp.qpn, a, mask | attr::kState));
    };
    to(rxe::QpState::kInit, attr::kPkeyIndex | attr::kPort | (datagram ? attr::kQkey : attr::kAccessFlags));
    to(rxe::QpState::kRtr, datagram ? 0
                                    : attr::kAv | attr::kPathMtu | attr::kDestQpn | attr::kRqPsn |
                                          (answers ? attr::kMaxDestRdAtomic | attr::kMinRnrTimer : 0));
    to(rxe::QpState::kRts, attr::kSqPsn | (asks || answers ? attr::kTimeout : 0) |
                               (asks ? attr::kRetryCnt | attr::kRnrRetry | attr::kMaxQpRdAtomic : 0));
  }
}

void Script::check_code(int code) {
  switch (code) {
    case EINVAL:
    case ENOMEM:
    case EBUSY:
    case EEXIST:
    case EOPNOTSUPP:
      return;
    default:
      complain("a call failed with errno " + std::to_string(code));
  }
}

std::string Script::run() {
  for (std::size_t i = 0; i < kStepsMax && !bytes_.empty() && complaint_.empty(); ++i) step();
  for (Half* half : {&a_, &b_}) {
    if (complaint_.empty()) tear_down(*half);
  }
  return complaint_;
}

void Script::step() {
  switch (bytes_.below(24)) {
    case 0:
      return call_memory(pick());
    case 1:
      return call_queues(pick());
    case 2:
      return call_qp(pick());
    case 3:
      return call_addresses(pick());
    case 4:
    case 5:
    case 6:
    case 7:
      return post_send(pick());
    case 8:
    case 9:
      return post_recv(pick());
    case 10:
      return modify(pick());
    case 11:
    case 12:
    case 13:
      return speak(pick());
    case 14:
    case 15:
    case 16:
    case 17:
      return deliver();
    case 18:
      return invent(pick());
    case 19:
      return pass_time(true);
    case 20:
      return pass_time(false);
    case 21:
    case 22:
      return poll(pick());
    default:
      speak(a_);
      speak(b_);
      while (!flying_.empty()) deliver();
  }
}

// --- packets and time -----------------------------------------------------------------------------------------------

void Script::speak(Half& half) {
  half.side.refuse_next = bytes_.one_in(8) ? 1 : 0;
  half.side.transmit(1 + bytes_.below(16));
  half.side.refuse_next = 0;
  if (!half.side.complaint.empty()) complain(half.side.complaint);
}

void Script::hand_over(const wire::Packet& packet, bool to_b) {
#ifdef ROCELAB_CANARY
  // The planted bug: one byte behind the payload of an atomic that carries one, which no engine sends.
  if (packet.bth.opcode == wire::Opcode::kRcCompareSwap && packet.payload.length != 0) {
    const std::vector<std::byte> copy(packet.payload.data, packet.payload.data + packet.payload.length);
    const volatile auto beyond = *(copy.data() + copy.size());
    static_cast<void>(beyond);
  }
#endif
  (to_b ? b_ : a_).side.device.handle_packet(now_, packet);
}

void Script::deliver() {
  if (flying_.empty()) return;
  const std::uint8_t fate = bytes_.u8();
  const std::size_t at = fate % 8 == 7 ? bytes_.below(flying_.size()) : 0;
  const Flying flying = flying_[at];
  if (fate / 8 % 16 != 13) flying_.erase(flying_.begin() + static_cast<std::ptrdiff_t>(at));  // 13: comes again
  if (fate / 8 % 16 == 14) return;                                                            // lost
  wire::Packet packet = flying.packet.view();
  if (fate / 8 % 16 == 15) tamper(packet);
  hand_over(packet, flying.to_b);
}

void Script::tamper(wire::Packet& packet) {
  switch (bytes_.below(13)) {
    case 0:
      packet.bth.opcode = static_cast<wire::Opcode>(bytes_.u8());
      return;
    case 1:
      packet.bth.psn = packet.bth.psn + bytes_.u8() - 128;
      return;
    case 2:
      packet.bth.psn = wire::Psn(bytes_.u32());
      return;
    case 3:
      packet.bth.destination_qpn = bytes_.u32() & 0xff'ffff;
      return;
    case 4:
      packet.payload.length = static_cast<std::uint32_t>(bytes_.below(packet.payload.length + 1));
      return;
    case 5:
      packet.reth.dma_length = bytes_.u32();
      return;
    case 6:
      packet.reth.virtual_address = bytes_.u64();
      return;
    case 7:
      packet.reth.rkey = packet.atomic_eth.rkey = packet.ieth.rkey = some_key(pick());
      return;
    case 8:
      packet.aeth = {bytes_.u8(), bytes_.u32() & 0xff'ffff};
      return;
    case 9:
      packet.atomic_eth.virtual_address = bytes_.u64();
      return;
    case 11:
      packet.xrc_eth.srq_number = some_srq_number(pick());
      return;
    case 10:
      packet.path.traffic_class = bytes_.u8();
      packet.bth.solicited = packet.bth.ack_request = true;
      return;
    default:
      packet.deth.qkey = bytes_.u32();
      packet.bth.pkey = bytes_.u16();
  }
}

/// A packet out of nothing, to a QP that exists, more or less.
void Script::invent(Half& half) {
  Half& from = &half == &a_ ? b_ : a_;
  wire::Packet packet{};
  packet.path.encapsulation = wire::Encapsulation::kRoceV2Ipv4;
  packet.path.source_gid = gid_of(from.side.number, kGidV2Ipv4);
  packet.path.destination_gid = gid_of(half.side.number, kGidV2Ipv4);
  packet.bth.opcode = static_cast<wire::Opcode>(bytes_.u8());
  packet.bth.destination_qpn = half.qps.empty() ? bytes_.u16() : half.qps[bytes_.below(half.qps.size())].qpn;
  packet.bth.psn = wire::Psn(bytes_.u8());
  packet.bth.ack_request = bytes_.one_in(2);
  if (!half.memories.empty()) {
    const Memory& memory = half.memories[bytes_.below(half.memories.size())];
    packet.reth = {memory.iova + bytes_.u16() % 5000, memory.info.rkey, bytes_.u16()};
    packet.atomic_eth = {memory.iova + 8u * bytes_.u8(), memory.info.rkey, bytes_.u8(), 0};
  }
  if (bytes_.one_in(4)) packet.reth.rkey = half.secret_mr.rkey;
  packet.ieth.rkey = some_key(half);
  packet.xrc_eth.srq_number = some_srq_number(half);
  packet.feth = {static_cast<std::uint8_t>(bytes_.below(4)), static_cast<std::uint8_t>(bytes_.below(2))};
  packet.aeth = {bytes_.u8(), bytes_.u8()};
  packet.deth = {0x1111, bytes_.u8()};
  static constexpr std::size_t kLengths[] = {0, 1, 8, 64, 255, 256, 257, 1024, 4096};
  const std::vector<std::byte> payload(kLengths[bytes_.below(std::size(kLengths))], std::byte{0x77});
  packet.payload.length = static_cast<std::uint32_t>(payload.size());
  packet.payload.data = payload.data();
  if (wire::has_reth(packet.bth.opcode) && wire::is_write(packet.bth.opcode) && bytes_.one_in(2)) {
    packet.reth.dma_length = packet.payload.length;
  }
  hand_over(packet, &half == &b_);
}

void Script::pass_time(bool to_deadline) {
  for (Half* half : {&a_, &b_}) {
    const auto next = half->side.device.next_timeout();
    if (to_deadline && next && *next > now_) now_ = *next;
  }
  if (!to_deadline) now_ = now_ + base::Duration::ns(bytes_.u16());
  for (Half* half : {&a_, &b_}) {
    half->side.now = now_;
    half->side.device.handle_timeout(now_);
  }
}

void Script::poll(Half& half) {
  rxe::Completion batch[4];
  for (const rxe::CqId cq : half.cqs) {
    while (const std::size_t n = half.side.device.poll_cq(cq, batch)) {
      for (std::size_t i = 0; i < n; ++i) {
        ++completions_;
        const std::uint64_t id = batch[i].wr_id;
        const auto found = half.outstanding.find(id);
        if (found == half.outstanding.end()) {
          if (half.shared_receives.erase(id) == 0)
            complain("request " + std::to_string(id) + " completed unexpectedly");
          continue;
        }
        if (found->second != batch[i].qp_num) complain("a completion names another QP");
        half.outstanding.erase(found);
      }
    }
  }
  while (half.side.device.poll_event()) {
  }
}

void Script::forget_qp(Half& half, rxe::Qpn qpn) {
  std::erase_if(half.outstanding, [&](const auto& entry) { return entry.second == qpn; });
}

/// Everything goes, in an order in which nothing is in use.
void Script::tear_down(Half& half) {
  rxe::Device& device = half.side.device;
  const auto must = [&](const base::Result<void>& result, const char* what) {
    if (!result) complain(std::string(what) + " at the end: " + result.error().what);
  };
  for (const Qp& qp : half.qps) {
    while (device.detach_mcast(qp.qpn, *wire::parse_gid("239.1.2.3"))) {
    }
    must(device.destroy_qp(qp.qpn), "destroy_qp");
  }
  for (const rxe::MwInfo& window : half.windows) must(device.dealloc_mw(window.id), "dealloc_mw");
  for (const Memory& memory : half.memories) must(device.dereg_mr(memory.info.id), "dereg_mr");
  for (const rxe::MrInfo& mr : half.fast) must(device.dereg_mr(mr.id), "dereg_mr");
  must(device.dereg_mr(half.secret_mr.id), "dereg_mr");
  for (const rxe::AhId ah : half.ahs) must(device.destroy_ah(ah), "destroy_ah");
  for (const rxe::SrqId srq : half.srqs) must(device.destroy_srq(srq), "destroy_srq");
  for (const rxe::XrcdId xrcd : half.xrcds) must(device.dealloc_xrcd(xrcd), "dealloc_xrcd");
  for (const rxe::CqId cq : half.cqs) must(device.destroy_cq(cq), "destroy_cq");
  for (const rxe::PdId pd : half.pds) must(device.dealloc_pd(pd), "dealloc_pd");
  if (device.has_transmit() || device.next_timeout()) complain("an empty device has something to do");
  if (std::any_of(half.secret.get(), half.secret.get() + kMemoryBytes,
                  [](std::byte byte) { return byte != kSecretByte; })) {
    complain("memory without any right to write it has been written");
  }
}

}  // namespace rocelab::test::script
