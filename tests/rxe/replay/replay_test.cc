// The packets that Linux's rxe exchanged, replayed against our engine: in the place of the responder it must answer as
// rxe did, in the place of the requester it must ask as rxe did, and both must see the completions that were recorded.
// What is normalised: numbers an engine chooses (QPN, keys: mapped), what comparable() leaves out, and the coalescing
// of ACKs (a plain ACK may be left out when a later response of the same stream covers it). Three known differences are
// named below, each with its reason.
#include <algorithm>
#include <cstring>

#include "tests/rxe/harness/expect.h"
#include "tests/rxe/replay/recording.h"
#include "tests/rxe/replay/stage.h"

namespace rocelab::test::replay {

namespace {

using wire::Opcode;

/// What the JSON's description says in words.
struct Peculiarity {
  std::string_view scenario;
  std::uint32_t lost_request_psn = 0;  ///< the first request with this PSN never reached B
  bool all_requests_lost = false;
  bool first_answer_lost = false;    ///< A never saw B's first answer
  std::size_t receive_bytes = 8192;  ///< length of B's receives
  std::uint8_t retries = 7;
  std::uint32_t expected_psn = 0;  ///< of B, when it is not A's first
};

constexpr Peculiarity kPeculiarities[] = {
    {.scenario = "rc_loss_middle", .lost_request_psn = 0x0a1002},
    {.scenario = "rc_loss_last", .lost_request_psn = 0x0a1002},
    {.scenario = "rc_loss_ack", .first_answer_lost = true},
    {.scenario = "rc_loss_atomic_ack", .first_answer_lost = true},
    {.scenario = "rc_retry_exceeded", .all_requests_lost = true, .retries = 2},
    {.scenario = "rc_nak_inv_req", .receive_bytes = 100},
    {.scenario = "rc_nak_psn_never", .retries = 1, .expected_psn = 0x0a0ff0},
};

Peculiarity peculiarity_of(const std::string& name) {
  for (const Peculiarity& each : kPeculiarities) {
    if (each.scenario == name) return each;
  }
  return {.scenario = "none"};
}

QpOptions options_of(const Recording& recording, const Peculiarity& peculiarity) {
  QpOptions options;
  options.retry_cnt = peculiarity.retries;
  options.rnr_retry = 7;
  options.min_rnr_timer = 14;
  options.cap.max_inline_data = 0;
  options.max_rd_atomic = options.max_dest_rd_atomic = 8;
  for (const Step& step : recording.steps) {
    if (!step.from_a && step.packet.header().aeth.kind() == wire::AethKind::kRnrNak) {
      options.min_rnr_timer = step.packet.header().aeth.code();
    }
  }
  return options;
}

bool is_plain_ack(const wire::Packet& packet) {
  return packet.bth.opcode == Opcode::kRcAcknowledge && packet.aeth.kind() == wire::AethKind::kAck;
}

/// Leaves out plain ACKs that a later response covers.
std::vector<std::string> without_covered_acks(const std::vector<OwnedPacket>& packets) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const wire::Packet& packet = packets[i].view();
    const bool covered = i + 1 < packets.size() && is_plain_ack(packet) &&
                         packets[i + 1].header().bth.psn >= packet.bth.psn &&
                         packets[i + 1].header().aeth.kind() == wire::AethKind::kAck;
    if (!covered) lines.push_back(comparable(packet));
  }
  return lines;
}

bool has_rnr(const Recording& recording) {
  return std::any_of(recording.steps.begin(), recording.steps.end(), [](const Step& step) {
    return !step.from_a && step.packet.header().bth.opcode == Opcode::kRcAcknowledge &&
           step.packet.header().aeth.kind() == wire::AethKind::kRnrNak;
  });
}

void check_completions(Endpoint& endpoint, rxe::CqId cq, const std::vector<RecordedCompletion>& recorded,
                       bool same_status) {
  for (const RecordedCompletion& expected : recorded) {
    const auto completion = endpoint.poll(cq);
    INFO("wr_id " << expected.wr_id);
    REQUIRE(completion.has_value());
    if (same_status) CHECK(static_cast<int>(completion->status) == expected.status);
    CHECK((completion->status == rxe::WcStatus::kSuccess) == (expected.status == 0));
    if (expected.status != 0 || !expected.is_receive) continue;
    CHECK(completion->byte_len == expected.byte_len);
    if (expected.has_immediate) CHECK(completion->immediate == expected.immediate);
  }
}

constexpr std::size_t kReceiveStride = 8192;

std::string hexadecimal(const std::byte* bytes, std::size_t count) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = static_cast<unsigned>(bytes[i]);
    text += kDigits[value >> 4];
    text += kDigits[value & 15];
  }
  return text;
}

// --- in the place of B ----------------------------------------------------------------------------------------------

/// Before the first atomic the word held what rxe found there.
void preset_words(const Recording& recording, Stage& stage) {
  for (std::size_t i = 0; i < recording.steps.size(); ++i) {
    const wire::Packet& request = recording.steps[i].packet.header();
    if (!recording.steps[i].from_a || !wire::has_atomic_eth(request.bth.opcode)) continue;
    for (std::size_t k = i + 1; k < recording.steps.size(); ++k) {
      const wire::Packet& answer = recording.steps[k].packet.header();
      if (recording.steps[k].from_a || answer.bth.opcode != Opcode::kRcAtomicAcknowledge) continue;
      const std::uint64_t offset = request.atomic_eth.virtual_address - recording.b.buffer;
      stage.buffer->set_word(static_cast<std::size_t>(offset), answer.atomic_ack_eth.original);
      return;
    }
  }
}

/// rc_send_inv: B has bound a window to its whole buffer.
void bind_window(const Recording& recording, Stage& stage) {
  if (recording.window_rkey == 0) return;
  rxe::Device& device = stage.solo.side.device;
  const auto mw = device.alloc_mw(stage.solo.side.pd, rxe::MwType::k2);
  REQUIRE(mw.has_value());
  stage.window_rkey = *device.next_mw_rkey(mw->id);
  REQUIRE(stage.qp->post(Work::bind(1, {.mw = mw->id,
                                        .mr = stage.buffer->mr().id,
                                        .rkey = stage.window_rkey,
                                        .addr = stage.buffer->iova(),
                                        .length = kBufferBytes,
                                        .access = rxe::access::kRemoteWrite})));
  stage.solo.speak();
  expect_sent(*stage.qp, 1);
}

void replay_as_responder(const std::string& name) {
  INFO(name << ": in the place of B");
  const Recording recording = load(name);
  const Peculiarity peculiarity = peculiarity_of(name);
  const std::uint32_t expected = peculiarity.expected_psn != 0 ? peculiarity.expected_psn : recording.a.start_psn;
  Stage stage(recording, false, options_of(recording, peculiarity), expected);
  REQUIRE(stage.ready);
  preset_words(recording, stage);
  bind_window(recording, stage);
  const auto receives = recording.of(false, true);
  const auto post_receives = [&] {
    for (std::size_t i = 0; i < receives.size(); ++i) {
      const rxe::Sge sge = stage.buffer->sge(i * kReceiveStride, peculiarity.receive_bytes);
      REQUIRE(stage.qp->recv(receives[i].wr_id, std::span(&sge, 1)));
    }
  };
  std::size_t rnr_left = 0;
  for (const Step& step : recording.steps) {
    rnr_left += !step.from_a && step.packet.header().aeth.kind() == wire::AethKind::kRnrNak ? 1 : 0;
  }
  if (!has_rnr(recording)) post_receives();

  std::vector<OwnedPacket> theirs;
  bool lost_one = false;
  for (const Step& step : recording.steps) {
    if (!step.from_a) {
      theirs.push_back(step.packet);
      if (has_rnr(recording) && step.packet.header().aeth.kind() == wire::AethKind::kRnrNak && --rnr_left == 0) {
        post_receives();
      }
      continue;
    }
    if (peculiarity.all_requests_lost) continue;
    if (!lost_one && peculiarity.lost_request_psn == step.packet.header().bth.psn.value()) {
      lost_one = true;
      continue;
    }
    stage.solo.deliver(stage.for_engine(step.packet));
    stage.solo.speak();
  }
  std::vector<OwnedPacket> ours;
  for (const OwnedPacket& packet : stage.solo.sent) ours.push_back(stage.as_recorded(packet));

  auto expected_lines = without_covered_acks(theirs);
  const auto our_lines = without_covered_acks(ours);
  if (name == "rc_nak_inv_req") {
    // A SEND longer than its receive: rxe 6.1 says "remote operational error", IBTA vol 1, 9.7.4.1.7 wants invalid
    // request, as hardware does; so do we.
    REQUIRE(our_lines.size() == 1);
    CHECK(our_lines[0].find("nak 1") != std::string::npos);
    CHECK(expected_lines[0].find("nak 3") != std::string::npos);
  } else {
    CHECK(our_lines == expected_lines);
  }
  check_completions(*stage.qp, stage.qp->recv_cq, receives, name != "rc_nak_inv_req");
  for (std::size_t i = 0; i < recording.grh_areas.size(); ++i) {
    CHECK(hexadecimal(stage.buffer->data() + i * kReceiveStride, 40) == recording.grh_areas[i]);
  }
  CHECK(stage.buffer->guards_intact());
}

// --- in the place of A ----------------------------------------------------------------------------------------------

/// The request that made these packets: found by collecting a message's packets from its first on.
class Requests {
 public:
  Requests(const Recording& recording, Stage& stage) : recording_(recording), stage_(stage) {
    next_psn_ = wire::Psn(recording.a.start_psn);
  }

  /// Posts the request whose first packet this step is, unless it is a repetition.
  void post_if_new(std::size_t index) {
    const wire::Packet& first = recording_.steps[index].packet.header();
    if (first.bth.psn != next_psn_) return;
    const Opcode op = first.bth.opcode;
    Work work(++posted_, rxe::SendOpcode::kSend);
    std::vector<std::byte> bytes;
    const wire::Packet* last = &first;
    std::uint32_t packets = 0;
    for (std::size_t i = index; i < recording_.steps.size(); ++i) {
      const Step& step = recording_.steps[i];
      if (!step.from_a || step.packet.header().bth.psn != next_psn_ + packets) continue;
      ++packets;
      last = &step.packet.header();
      bytes.insert(bytes.end(), step.packet.payload().begin(), step.packet.payload().end());
      if (wire::ends_message(last->bth.opcode)) break;
    }
    std::size_t length = bytes.size();
    const Remote remote{first.reth.virtual_address, first.reth.rkey};
    if (wire::is_write(op)) {
      work = Work::write(posted_, remote);
      // A WRITE that was refused at once is not in the recording whole.
      length = first.reth.dma_length;
      bytes.resize(length);
      for (std::size_t i = 0; i < length; ++i) {
        if (bytes[i] == std::byte{0}) bytes[i] = static_cast<std::byte>((7 * i) & 0xff);
      }
      packets = std::max<std::uint32_t>(1, static_cast<std::uint32_t>((length + mtu() - 1) / mtu()));
    } else if (op == Opcode::kRcRdmaReadRequest) {
      work = Work::read(posted_, remote);
      length = first.reth.dma_length;
      packets = std::max<std::uint32_t>(1, static_cast<std::uint32_t>((length + mtu() - 1) / mtu()));
    } else if (op == Opcode::kRcCompareSwap) {
      work = Work::compare_swap(posted_, {first.atomic_eth.virtual_address, first.atomic_eth.rkey},
                                first.atomic_eth.compare, first.atomic_eth.swap_or_add);
      length = 8;
    } else if (op == Opcode::kRcFetchAdd) {
      work = Work::fetch_add(posted_, {first.atomic_eth.virtual_address, first.atomic_eth.rkey},
                             first.atomic_eth.swap_or_add);
      length = 8;
    } else if (!wire::ends_message(last->bth.opcode)) {
      length = 2000;  // rc_nak_inv_req: refused before its last packet was sent
    }
    if (wire::has_immediate(last->bth.opcode)) work.imm(last->imm_dt.value);
    if (wire::has_ieth(last->bth.opcode)) work.invalidating(last->ieth.rkey);
    if (last->bth.solicited) work.solicited();
    if (wire::has_deth(op)) work.to(ah(), first.bth.destination_qpn, first.deth.qkey);
    const std::size_t at = used_;
    used_ += length;
    REQUIRE(used_ <= kBufferBytes);
    std::copy(bytes.begin(), bytes.end(), stage_.buffer->data() + at);
    if (length != 0) work.with(stage_.buffer->sge(at, length));
    REQUIRE(stage_.qp->post(work));
    next_psn_ = next_psn_ + packets;
  }
  /// Where the last request's data lie, for what READs bring.
  std::size_t used() const { return used_; }

 private:
  std::size_t mtu() const { return rxe::mtu_bytes(recording_.mtu); }
  rxe::AhId ah() {
    rxe::AddressVector av = route_to(2, 0);
    av.dgid = recording_.b.gid;
    const auto made = stage_.solo.side.device.create_ah(stage_.solo.side.pd, av);
    REQUIRE(made.has_value());
    return *made;
  }

  const Recording& recording_;
  Stage& stage_;
  wire::Psn next_psn_;
  std::uint64_t posted_ = 0;
  std::size_t used_ = 0;
};

void replay_as_requester(const std::string& name) {
  INFO(name << ": in the place of A");
  const Recording recording = load(name);
  const Peculiarity peculiarity = peculiarity_of(name);
  Stage stage(recording, true, options_of(recording, peculiarity), recording.b.start_psn);
  REQUIRE(stage.ready);
  Requests requests(recording, stage);
  bool answer_lost = !peculiarity.first_answer_lost;
  std::size_t taken = 0;  // how many of the engine's packets have been compared
  std::vector<std::byte> brought;
  for (std::size_t i = 0; i < recording.steps.size(); ++i) {
    const Step& step = recording.steps[i];
    if (!step.from_a) {
      if (!answer_lost) {
        answer_lost = true;
        continue;
      }
      if (wire::is_read_response(step.packet.header().bth.opcode)) {
        brought.insert(brought.end(), step.packet.payload().begin(), step.packet.payload().end());
      }
      stage.solo.deliver(stage.for_engine(step.packet));
      continue;
    }
    requests.post_if_new(i);
    // One packet at a time, as rxe's were sent: where a NAK met them is part of the recording.
    Side& side = stage.solo.side;
    for (int deadline = 0; deadline < 4 && side.transmit(1) == 0 && side.device.next_timeout(); ++deadline) {
      side.now = std::max(side.now, *side.device.next_timeout(), [](auto a, auto b) { return a < b; });
      side.device.handle_timeout(side.now);
    }
    INFO("recorded packet " << i + 1);
    REQUIRE(stage.solo.sent.size() > taken);
    CHECK(comparable(stage.as_recorded(stage.solo.sent[taken]).view()) == comparable(step.packet.view()));
    ++taken;
  }
  stage.solo.speak();
  for (int deadline = 0; deadline < 8 && stage.solo.next_deadline(); ++deadline) {
  }
  CHECK(stage.solo.sent.size() == taken);
  check_completions(*stage.qp, stage.qp->send_cq, recording.of(true, false), true);
  if (name.starts_with("rc_read")) {
    CHECK(std::memcmp(stage.buffer->data(), brought.data(), brought.size()) == 0);
    CHECK(brought.size() == requests.used());
  }
  CHECK(stage.buffer->guards_intact());
}

}  // namespace

TEST_CASE("replay: in the place of rxe's responder the engine answers as rxe did", "[rxe][replay]") {
  const auto names = scenarios();
  CHECK(names.size() >= 28);
  for (const std::string& name : names) replay_as_responder(name);
}

TEST_CASE("replay: in the place of rxe's requester the engine asks as rxe did", "[rxe][replay]") {
  for (const std::string& name : scenarios()) replay_as_requester(name);
}

TEST_CASE("replay: the comparison notices a changed field", "[rxe][replay]") {
  const Recording recording = load("rc_write");
  OwnedPacket packet = recording.steps[2].packet;
  const std::string before = comparable(packet.view());
  packet.payload()[0] ^= std::byte{1};
  CHECK(comparable(packet.view()) != before);
  packet = recording.steps[2].packet;
  packet.header().reth.virtual_address += 1;
  CHECK(comparable(packet.view()) != before);
}

}  // namespace rocelab::test::replay
