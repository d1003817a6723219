// See traffic.h.
#include "tests/rxe/soak/traffic.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace rocelab::test::soak {

namespace {

constexpr std::size_t kMessageBytesMax = 12'000;
constexpr std::size_t kWindowBytes = 3000;
// Up to here of a pool other requests are posted, and SENDs; what is left is for receives.
constexpr std::size_t kOtherPoolBytes = 150'000;
constexpr std::size_t kSendPoolBytes = 250'000;
constexpr std::size_t kMessagesOpenMax = 24;

Bytes word_bytes(std::uint64_t value) {
  Bytes bytes(8);
  std::memcpy(bytes.data(), &value, 8);
  return bytes;
}

}  // namespace

std::uint32_t random_psn(base::Rng& rng) {
  const auto any = static_cast<std::uint32_t>(rng.below(1u << 24));
  return rng.chance(1, 3) ? 0xff'ffffu - any % 40 : any;
}

QpOptions random_options(base::Rng& rng, rxe::QpType type) {
  QpOptions options;
  options.type = type;
  options.mtu = static_cast<rxe::PathMtu>(1 + rng.below(5));
  options.timeout = 8;  // 1 ms
  options.retry_cnt = 7;
  options.rnr_retry = 7;
  options.min_rnr_timer = static_cast<std::uint8_t>(1 + rng.below(8));
  options.max_rd_atomic = static_cast<std::uint8_t>(1 + rng.below(8));
  options.max_dest_rd_atomic = options.max_rd_atomic;
  options.sgid_index = static_cast<std::uint8_t>(rng.below(4));
  options.buffer_bytes = 64;
  options.cap = {.max_send_wr = 4u + static_cast<std::uint32_t>(rng.below(40)),
                 .max_recv_wr = 64,
                 .max_send_sge = 4,
                 .max_recv_sge = 4,
                 .max_inline_data = 200};
  return options;
}

std::size_t Traffic::random_length() {
  const std::size_t mtu = rxe::mtu_bytes(flow.self.options.mtu);
  const std::size_t most = !flow.connected()             ? 4096
                           : flow.peer->receives->shared ? MemoryModel::kSlotBytes
                                                         : kMessageBytesMax;
  std::size_t length = 0;
  switch (rng.below(5)) {
    case 0:
      length = static_cast<std::size_t>(rng.below(9));
      break;
    case 1:
      length = static_cast<std::size_t>(rng.below(300));
      break;
    case 2:  // around a multiple of the MTU
      length = mtu * static_cast<std::size_t>(1 + rng.below(4)) + static_cast<std::size_t>(rng.below(3)) - 1;
      break;
    default:
      length = static_cast<std::size_t>(rng.below(most));
      if (!rng.chance(1, 4)) length %= 3000;
  }
  return std::min(length, most);
}

void Traffic::add_source(Work& work, const Piece& source) {
  if (source.length <= flow.self.options.cap.max_inline_data && source.length != 0 && rng.chance(1, 3)) {
    work.inlined(flow.own.region().data() + source.offset, source.length);
    return;
  }
  std::size_t at = source.offset, left = source.length;
  for (std::uint64_t pieces = rng.below(3); pieces > 0; --pieces) {
    const auto part = static_cast<std::size_t>(rng.below(left + 1));
    work.with(flow.own.region().sge(at, part));
    at += part;
    left -= part;
  }
  if (left != 0 || rng.chance(1, 2)) work.with(flow.own.region().sge(at, left));
}

std::string Traffic::submit(Work& work, Operation&& operation) {
  const rxe::QpState state = flow.self.state();
  operation.wr_id = work.request().wr_id;
  operation.signaled = rng.chance(3, 4);
  if (!operation.signaled) work.unsignaled();
  if (rng.chance(1, 10)) work.solicited();
  if (flow.reliable() && rng.chance(1, 10)) work.fenced();
  const auto posted = flow.self.post(work);
  if (!posted) {
    if (operation.takes_receive) flow.messages.pop_back();
    if (posted.error().code == ENOMEM) return {};
    return "post_send in state " + std::to_string(static_cast<int>(state)) + ": " + posted.error().what;
  }
  ++flow.next_id;
  flow.queue.push_back(std::move(operation));
  return {};
}

std::string Traffic::post_send() {
  const Piece source = flow.own.source(rng, random_length());
  Work work = Work::send(flow.next_id);
  Operation operation;
  operation.kind = Kind::kSend;
  operation.takes_receive = true;
  Message message{.is_write = false,
                  .length = source.length,
                  .bytes = flow.own.bytes_of(source),
                  .immediate = {},
                  .invalidated = {}};
  add_source(work, source);
  // The far side's window dies when the message arrives; it is not used again from here on.
  if (flow.reliable() && flow.peer->window.bound && rng.chance(1, 4)) {
    message.invalidated = flow.peer->window.rkey;
    work.invalidating(flow.peer->window.rkey);
    flow.peer->window.bound = false;
  } else if (rng.chance(flow.reliable() ? 1 : 3, flow.reliable() ? 2 : 4)) {
    message.immediate = static_cast<std::uint32_t>(rng.next());
    work.imm(*message.immediate);
  }
  if (!flow.connected()) work.to(to_peer, flow.peer->self.qpn, flow.peer->self.options.qkey);
  const bool invalidates = message.invalidated.has_value();
  flow.messages.push_back(std::move(message));
  const std::uint64_t id = flow.next_id;
  const std::string wrong = submit(work, std::move(operation));
  if (flow.next_id == id && invalidates) flow.peer->window.bound = true;  // not posted
  return wrong;
}

std::string Traffic::post_write() {
  const Piece source = flow.own.source(rng, random_length());
  Operation operation;
  operation.kind = Kind::kWrite;
  operation.bytes = flow.own.bytes_of(source);
  Remote remote;
  if (flow.peer->window.bound && flow.peer->window.part.length >= source.length && source.length != 0) {
    // Each byte of the window is written once: it shrinks from the front.
    Piece& part = flow.peer->window.part;
    operation.target = {{part.offset, source.length}};
    remote = {flow.far.region().iova() + part.offset, flow.peer->window.rkey};
    part.offset += source.length;
    part.length -= source.length;
  } else {
    const auto offset = flow.far.take(source.length);
    if (!offset) return {};
    operation.target = {{*offset, source.length}};
    remote = flow.far.region().remote(*offset);
  }
  Work work = Work::write(flow.next_id, remote);
  add_source(work, source);
  if (rng.chance(1, 3)) {
    Message message{.is_write = true,
                    .length = source.length,
                    .bytes = {},
                    .immediate = static_cast<std::uint32_t>(rng.next()),
                    .invalidated = {}};
    work.imm(*message.immediate);
    operation.takes_receive = true;
    flow.messages.push_back(std::move(message));
  }
  return submit(work, std::move(operation));
}

std::string Traffic::post_read() {
  const Piece source = flow.far.source(rng, random_length());
  const auto target = flow.own.take_pieces(rng, source.length, 3);
  if (!target) return {};
  Operation operation;
  operation.kind = Kind::kRead;
  operation.bytes = flow.far.bytes_of(source);
  operation.target = *target;
  Work work = Work::read(flow.next_id, flow.far.region().remote(source.offset));
  for (const Piece& piece : *target) work.with(flow.own.region().sge(piece.offset, piece.length));
  return submit(work, std::move(operation));
}

/// A word written at once.
std::string Traffic::post_store() {
  Operation operation;
  operation.kind = Kind::kStore;
  operation.word = flow.own_word;
  operation.after = rng.next();
  const std::uint64_t value = operation.after;
  Work work = Work(flow.next_id, rxe::SendOpcode::kAtomicWrite)
                  .at(flow.far.region().remote(MemoryModel::word_offset(flow.own_word)));
  work.inlined(&value, sizeof value);
  const std::uint64_t id = flow.next_id;
  const std::string wrong = submit(work, std::move(operation));
  if (flow.next_id != id) flow.word_value = value;
  return wrong;
}

std::string Traffic::post_atomic() {
  if (flow.self.options.type == rxe::QpType::kRc && !flow.places_early && rng.chance(1, 3)) return post_store();
  const auto result = flow.own.take(8);
  if (!result) return {};
  Operation operation;
  operation.kind = rng.chance(1, 2) ? Kind::kAdd : Kind::kSwap;
  operation.word = flow.own_word;
  operation.bytes = word_bytes(flow.word_value);
  operation.target = {{*result, 8}};
  const Remote remote = flow.far.region().remote(MemoryModel::word_offset(flow.own_word));
  const std::uint64_t operand = rng.next();
  std::uint64_t after = flow.word_value;
  Work work = Work::fetch_add(flow.next_id, remote, operand);
  if (operation.kind == Kind::kAdd) {
    after += operand;
  } else {
    const bool equal = rng.chance(1, 2);
    work = Work::compare_swap(flow.next_id, remote, equal ? flow.word_value : ~flow.word_value, operand);
    if (equal) after = operand;
  }
  operation.after = after;
  work.with(flow.own.region().sge(*result, 8));
  const std::uint64_t id = flow.next_id;
  const std::string wrong = submit(work, std::move(operation));
  if (flow.next_id != id) flow.word_value = after;
  return wrong;
}

std::string Traffic::post_shared_add() {
  const auto result = flow.own.take(8);
  if (!result) return {};
  Operation operation;
  operation.kind = Kind::kSharedAdd;
  operation.added = 1 + rng.below(1000);
  operation.target = {{*result, 8}};
  Work work =
      Work::fetch_add(flow.next_id, flow.far.region().remote(MemoryModel::word_offset(shared_word)), operation.added);
  work.with(flow.own.region().sge(*result, 8));
  return submit(work, std::move(operation));
}

std::string Traffic::post_bind() {
  rxe::Device& device = flow.self.side.device;
  if (flow.window.mw == rxe::MwId{}) {
    const auto mw = device.alloc_mw(flow.self.side.pd, rxe::MwType::k2);
    if (!mw) return std::string("alloc_mw: ") + mw.error().what;
    flow.window.mw = mw->id;
  }
  for (const Operation& open : flow.queue) {
    if (open.kind == Kind::kBind || open.kind == Kind::kInvalidate) return {};
  }
  // A SEND with invalidate may still be on its way to the window.
  for (const Message& message : flow.peer->messages) {
    if (message.invalidated) return {};
  }
  if (flow.window.bound) {
    if (!flow.peer->queue.empty()) return {};  // nobody may be using it
    Work work = Work::local_inv(flow.next_id, flow.window.rkey);
    Operation operation;
    operation.kind = Kind::kInvalidate;
    const std::uint64_t id = flow.next_id;
    const std::string wrong = submit(work, std::move(operation));
    if (flow.next_id != id) flow.window.bound = false;
    return wrong;
  }
  const auto offset = flow.own.take(kWindowBytes);
  if (!offset) return {};
  flow.window.part = {*offset, kWindowBytes};
  flow.window.rkey = *device.next_mw_rkey(flow.window.mw);
  Work work = Work::bind(flow.next_id, {.mw = flow.window.mw,
                                        .mr = flow.own.region().mr().id,
                                        .rkey = flow.window.rkey,
                                        .addr = flow.own.region().iova() + *offset,
                                        .length = kWindowBytes,
                                        .access = rxe::access::kRemoteWrite});
  Operation operation;
  operation.kind = Kind::kBind;
  return submit(work, std::move(operation));
}

std::string Traffic::post() {
  const std::uint64_t choice = rng.below(100);
  if (flow.far.used() > kSendPoolBytes || flow.messages.size() > kMessagesOpenMax) return {};
  if (std::max(flow.own.used(), flow.far.used()) > kOtherPoolBytes) return post_send();
  if (!flow.connected()) return post_send();
  if (!flow.reliable()) return choice < 60 ? post_send() : post_write();
  if (choice < 35) return post_send();
  if (choice < 65) return post_write();
  if (choice < 80) return post_read();
  if (choice < 90) return post_atomic();
  if (choice < 95) return post_shared_add();
  // A window of type 2 is for the QP that has bound it, which of XRC is the initiator and not the target.
  return flow.self.is_xrc() ? post_send() : post_bind();
}

std::string post_missing_receives(base::Rng& rng, Flow& flow, bool all) {
  const std::deque<Message>& messages = flow.peer->messages;
  ReceivePool& pool = *flow.receives;
  const std::size_t wanted = flow.reliable() ? messages.size() : std::min<std::size_t>(messages.size(), 24);
  while (pool.posted.size() < wanted) {
    if (!all && !rng.chance(2, 3)) return {};
    const Message& message = messages[pool.posted.size()];
    std::size_t length = message.is_write && rng.chance(1, 2) ? 0 : message.length + (flow.connected() ? 0 : 40);
    if (!flow.reliable() || rng.chance(1, 4)) length += static_cast<std::size_t>(rng.below(2000));
    const auto pieces = flow.own.take_pieces(rng, length, 4);
    if (!pieces) return flow.reliable() && all ? "the pool is too small for the receives" : std::string();
    std::vector<rxe::Sge> sges;
    for (const Piece& piece : *pieces) sges.push_back(flow.own.region().sge(piece.offset, piece.length));
    const auto posted = flow.self.recv(pool.next_id, sges);
    if (!posted) {
      if (posted.error().code == ENOMEM) return {};
      return std::string("post_recv: ") + posted.error().what;
    }
    pool.posted.push_back({pool.next_id++, *pieces, length});
  }
  return {};
}

bool post_bad_access(base::Rng& rng, Flow& flow) {
  const Piece source = flow.own.source(rng, 1 + static_cast<std::size_t>(rng.below(3000)));
  Remote remote = flow.far.region().remote(0);
  rxe::Sge sge = flow.own.region().sge(source.offset, source.length);
  Operation operation;
  operation.kind = Kind::kBadKey;
  operation.expected_failure = rxe::WcStatus::kRemAccessErr;
  switch (rng.below(3)) {
    case 0:
      remote.rkey ^= 1u + static_cast<std::uint32_t>(rng.below(0xffff));
      break;
    case 1:
      remote.addr += flow.far.region().size() - source.length + 1;
      break;
    default:
      sge.lkey ^= 1;
      operation.expected_failure = rxe::WcStatus::kLocProtErr;
  }
  Work work = Work::write(flow.next_id, remote).with(sge);
  operation.wr_id = flow.next_id;
  if (!flow.self.post(work)) return false;
  ++flow.next_id;
  flow.queue.push_back(std::move(operation));
  return true;
}

}  // namespace rocelab::test::soak
