// See flow.h.
#include "tests/rxe/soak/flow.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "rxe/vendor_error.h"

namespace rocelab::test::soak {

namespace {

constexpr std::size_t kGrhBytes = 40;

rxe::WcOpcode opcode_of(Kind kind) {
  switch (kind) {
    case Kind::kSend:
      return rxe::WcOpcode::kSend;
    case Kind::kWrite:
    case Kind::kBadKey:
      return rxe::WcOpcode::kRdmaWrite;
    case Kind::kRead:
      return rxe::WcOpcode::kRdmaRead;
    case Kind::kSwap:
      return rxe::WcOpcode::kCompSwap;
    case Kind::kStore:
      return rxe::WcOpcode::kAtomicWrite;
    case Kind::kAdd:
    case Kind::kSharedAdd:
      return rxe::WcOpcode::kFetchAdd;
    case Kind::kBind:
      return rxe::WcOpcode::kBindMw;
    case Kind::kInvalidate:
      return rxe::WcOpcode::kLocalInv;
  }
  return rxe::WcOpcode::kSend;
}

}  // namespace

std::string SharedWord::check(std::uint64_t value) const {
  if (in_doubt) return {};
  std::vector<Step> sorted = steps;
  std::sort(sorted.begin(), sorted.end(), [](const Step& a, const Step& b) { return a.original < b.original; });
  std::uint64_t at = 0;
  for (const Step& step : sorted) {
    if (step.original != at) return "fetch-and-adds of several QPs do not form a chain at " + std::to_string(at);
    at += step.added;
  }
  return at == value ? std::string() : "the shared word is not the sum of what was added";
}

void Flow::complain(const std::string& text, std::uint64_t wr_id) {
  if (!complaint.empty()) return;
  complaint = "side " + std::to_string(self.side.number) + " qp " + std::to_string(self.qpn) + " wr_id " +
              std::to_string(wr_id) + ": " + text;
}

void Flow::poll() {
  std::array<rxe::Completion, 8> batch;
  for (std::size_t n; (n = self.side.device.poll_cq(self.send_cq, batch)) > 0;) {
    for (std::size_t i = 0; i < n; ++i) {
      if (canary_lose_completion && completed > 5) {
        canary_lose_completion = false;
        continue;
      }
      sent(batch[i]);
    }
  }
  for (std::size_t n; (n = self.side.device.poll_cq(self.recv_cq, batch)) > 0;) {
    for (std::size_t i = 0; i < n; ++i) received(batch[i]);
  }
}

void Flow::sent(const rxe::Completion& completion) {
  ++completed;
  if (completion.qp_num != self.qpn) return complain("completion of another QP", completion.wr_id);
  // Unsignalled requests in front have succeeded silently.
  while (!queue.empty() && queue.front().wr_id != completion.wr_id) {
    if (queue.front().signaled) {
      return complain("request " + std::to_string(queue.front().wr_id) + " has not completed before this one",
                      completion.wr_id);
    }
    succeed(queue.front());
    queue.pop_front();
  }
  if (queue.empty()) return complain("completes a request that is not outstanding", completion.wr_id);
  const Operation operation = std::move(queue.front());
  queue.pop_front();
  if (completion.status == rxe::WcStatus::kSuccess) {
    if (operation.kind == Kind::kBadKey) return complain("an access that is not permitted succeeded", completion.wr_id);
    if (!operation.signaled) return complain("an unsignalled request completed with success", completion.wr_id);
    if (completion.opcode != opcode_of(operation.kind)) return complain("wrong opcode", completion.wr_id);
    return succeed(operation);
  }
  if (completion.status == rxe::WcStatus::kRetryExcErr && lossy && !doomed) {
    doomed = peer->doomed = true;
    gave_up = "side " + std::to_string(self.side.number) + " qp " + std::to_string(self.qpn) + " wr_id " +
              std::to_string(completion.wr_id) + ": " +
              std::string(rxe::name(static_cast<rxe::VendorError>(completion.vendor_err)));
  }
  if (!doomed) {
    complain("failed with " + std::string(rxe::name(completion.status)) + " " +
                 std::string(rxe::name(static_cast<rxe::VendorError>(completion.vendor_err))),
             completion.wr_id);
  }
  if (operation.kind == Kind::kBadKey && completion.status != operation.expected_failure &&
      completion.status != rxe::WcStatus::kWrFlushErr && completion.status != rxe::WcStatus::kRetryExcErr) {
    complain("failed with " + std::string(rxe::name(completion.status)) + " instead of " +
                 std::string(rxe::name(operation.expected_failure)),
             completion.wr_id);
  }
  fail(operation);
}

void Flow::succeed(const Operation& operation) {
  switch (operation.kind) {
    case Kind::kSend:
    case Kind::kInvalidate:
    case Kind::kBadKey:
      return;
    case Kind::kWrite:
      return reliable() ? far.becomes(operation.target, operation.bytes)
                        : far.may_become(operation.target, operation.bytes);
    case Kind::kRead:
      return own.becomes(operation.target, operation.bytes);
    case Kind::kStore:
      return far.word_becomes(operation.word, operation.after);
    case Kind::kAdd:
    case Kind::kSwap:
      far.word_becomes(operation.word, operation.after);
      return own.becomes(operation.target, operation.bytes);
    case Kind::kSharedAdd: {
      std::uint64_t original = 0;
      std::memcpy(&original, own.region().data() + operation.target[0].offset, sizeof original);
      shared_word.steps.push_back({original, operation.added});
      return own.anything(operation.target);
    }
    case Kind::kBind:
      window.bound = true;
      return;
  }
}

void Flow::fail(const Operation& operation) {
  switch (operation.kind) {
    case Kind::kSend:
    case Kind::kInvalidate:
    case Kind::kBind:
    case Kind::kBadKey:
      return;
    case Kind::kWrite:
      return far.may_become(operation.target, operation.bytes);
    case Kind::kRead:
      return own.may_become(operation.target, operation.bytes);
    case Kind::kStore:
      return far.anything({{MemoryModel::word_offset(operation.word), 8}});
    case Kind::kAdd:
    case Kind::kSwap:
      far.anything({{MemoryModel::word_offset(operation.word), 8}});
      return own.may_become(operation.target, operation.bytes);
    case Kind::kSharedAdd:
      shared_word.in_doubt = true;
      return own.anything(operation.target);
  }
}

bool Flow::matches(const Message& message, const rxe::Completion& completion) const {
  const std::size_t extra = connected() ? 0 : kGrhBytes;
  const auto opcode = message.is_write ? rxe::WcOpcode::kRecvRdmaWithImm : rxe::WcOpcode::kRecv;
  std::uint32_t flags = connected() ? 0 : rxe::wc_flag::kGrh;
  if (message.immediate) flags |= rxe::wc_flag::kWithImm;
  if (message.invalidated) flags |= rxe::wc_flag::kWithInv;
  if (completion.opcode != opcode || completion.flags != flags) return false;
  if (completion.byte_len != message.length + extra) return false;
  if (message.immediate && completion.immediate != *message.immediate) return false;
  return !message.invalidated || completion.immediate == *message.invalidated;
}

void Flow::received(const rxe::Completion& completion) {
  ++completed;
  if (completion.qp_num != self.receiving_qpn()) return complain("receive completion of another QP", completion.wr_id);
  auto& posted = receives->posted;
  const auto found = std::find_if(posted.begin(), posted.end(),
                                  [&](const auto& receive) { return receive.wr_id == completion.wr_id; });
  if (found == posted.end()) return complain("completes a receive that is not outstanding", completion.wr_id);
  if (!receives->shared && found != posted.begin()) return complain("receives complete out of order", completion.wr_id);
  const ReceivePool::Posted receive = std::move(*found);
  posted.erase(found);
  if (completion.status == rxe::WcStatus::kSuccess) return take_message(completion, receive);
  if (!doomed) complain("receive failed with " + std::string(rxe::name(completion.status)), completion.wr_id);
  // A message may have begun to arrive in it.
  if (reliable() && !peer->messages.empty() && !places_early) {
    own.may_become(receive.pieces, peer->messages.front().bytes);
  } else if (!reliable() || places_early) {
    own.anything(receive.pieces);
  }
}

void Flow::take_message(const rxe::Completion& completion, const ReceivePool::Posted& receive) {
  if (reliable()) {
    if (peer->messages.empty()) return complain("a message that was never sent has arrived", completion.wr_id);
    const Message message = std::move(peer->messages.front());
    peer->messages.pop_front();
    if (!matches(message, completion)) return complain("the receive is not the next message's", completion.wr_id);
    if (message.invalidated) window.bound = false;
    return own.becomes(receive.pieces, message.bytes);
  }
  const std::size_t skip = connected() ? 0 : kGrhBytes;
  for (Message& message : peer->messages) {
    if (!matches(message, completion) || !own.holds(receive.pieces, skip, message.bytes)) continue;
    if (message.delivered != 0 && !peer_duplicates) continue;
    ++message.delivered;
    if (connected()) return own.anything(receive.pieces);  // pieces of a message that lost a packet may be behind it
    // The GRH is the engine's, what is behind the datagram nobody's.
    Bytes whole(kGrhBytes + message.bytes.size());
    Pieces grh;
    std::size_t left = kGrhBytes;
    for (std::size_t i = 0, at = 0; i < receive.pieces.size() && at < whole.size(); ++i) {
      const Piece& piece = receive.pieces[i];
      const std::size_t length = std::min(piece.length, whole.size() - at);
      if (length != 0) std::memcpy(whole.data() + at, own.region().data() + piece.offset, length);
      if (left != 0) grh.push_back({piece.offset, std::min(left, length)});
      left -= std::min(left, length);
      at += length;
    }
    std::copy(message.bytes.begin(), message.bytes.end(), whole.begin() + kGrhBytes);
    own.becomes(receive.pieces, whole);
    return own.anything(grh);
  }
  complain("a message has arrived that was not sent, or twice", completion.wr_id);
}

void Flow::rest() {
  for (; !queue.empty(); queue.pop_front()) {
    if (queue.front().signaled || queue.front().kind == Kind::kBadKey) {
      complain("never completed", queue.front().wr_id);
    }
    succeed(queue.front());
  }
  if (reliable() && !doomed && !peer->doomed && !messages.empty())
    complain("a message was acknowledged and never came", 0);
  if (reliable() && doomed && !peer->messages.empty()) {  // the peer may have failed in the middle of a message
    for (const auto& receive : receives->posted) {
      places_early ? own.anything(receive.pieces) : own.may_become(receive.pieces, peer->messages.front().bytes);
    }
  }
  if (self.options.type == rxe::QpType::kUc) {  // one of them may hold the beginning of a message
    for (const auto& receive : receives->posted) own.anything(receive.pieces);
  }
}

void Flow::forget() {
  for (; !queue.empty(); queue.pop_front()) fail(queue.front());
  if (!receives->shared) {
    for (const auto& receive : receives->posted) {
      if (!reliable() || places_early) {
        own.anything(receive.pieces);
      } else if (!peer->messages.empty()) {
        own.may_become(receive.pieces, peer->messages.front().bytes);
      }
    }
    receives->posted.clear();
  }
  messages.clear();
  window.bound = false;
}

}  // namespace rocelab::test::soak
