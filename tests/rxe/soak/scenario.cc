// The life of a seed: setting up, phases, verification, tearing down. What is posted is chosen in post.cc.
#include "tests/rxe/soak/scenario.h"

#include <cstdio>

#include "tests/rxe/soak/traffic.h"

namespace rocelab::test::soak {

namespace {

constexpr std::uint64_t kStepsMax = 3'000'000;
constexpr std::size_t kSharedWord = MemoryModel::kWordCount - 1;

PairOptions pair_options(base::Rng& rng, std::uint64_t seed, bool selective) {
  PairOptions options;
  options.seed = seed;
  options.record = false;
  options.wire_exact = rng.chance(1, 3);
  options.burst = 1 + static_cast<std::size_t>(rng.below(32));
  options.a.qpn_count = options.b.qpn_count = 64;
  if (rng.chance(1, 5)) {
    options.a.congestion_control = options.b.congestion_control = rxe::CongestionControl::kDcqcn;
  }
  if (selective) {
    const auto tolerance = static_cast<std::uint32_t>(1 + rng.below(3) * rng.below(12));
    for (rxe::DeviceOptions* device : {&options.a, &options.b}) {
      device->loss_recovery = rxe::LossRecovery::kSelectiveRepeat;
      device->selective.reorder_packets = tolerance;
      device->queues_grow = true;
    }
  }
  return options;
}

Faults random_faults(base::Rng& rng) {
  Faults faults;
  faults.delay = base::Duration::ns(static_cast<std::int64_t>(100 + rng.below(20'000)));
  if (rng.chance(1, 6)) return faults;  // a perfect link, now and then
  faults.loss = static_cast<std::uint32_t>(rng.below(60));
  faults.duplicate = rng.chance(1, 2) ? static_cast<std::uint32_t>(rng.below(80)) : 0;
  faults.reorder = rng.chance(1, 2) ? static_cast<std::uint32_t>(rng.below(80)) : 0;
  faults.corrupt = rng.chance(1, 2) ? static_cast<std::uint32_t>(rng.below(30)) : 0;
  faults.ecn = rng.chance(1, 2) ? 100 : 0;
  return faults;
}

}  // namespace

Outcome run_seed(std::uint64_t seed, const Options& options) { return Scenario(seed, options).run(); }

Scenario::Scenario(std::uint64_t seed, const Options& options)
    : seed_(seed),
      options_(options),
      rng_(seed, "scenario"),
      pair_(pair_options(rng_, seed, options.selective)),
      a_memory_(pair_.a, 2 * seed),
      b_memory_(pair_.b, 2 * seed + 1) {
  pair_.a_to_b.faults = random_faults(rng_);
  pair_.b_to_a.faults = random_faults(rng_);
  for (const FaultyLink* link : {&pair_.a_to_b, &pair_.b_to_a}) {
    repeats_ = repeats_ || link->faults.duplicate != 0 || link->faults.reorder != 0;
  }
  if (rng_.chance(1, 3)) pair_.a.refuse_per_mille = static_cast<std::uint32_t>(rng_.below(400));
  if (rng_.chance(1, 3)) pair_.b.refuse_per_mille = static_cast<std::uint32_t>(rng_.below(400));
  watch_packets();
}

void Scenario::fail(const std::string& what) {
  if (outcome_.failure.empty()) outcome_.failure = what;
}

void Scenario::print(unsigned from, const wire::Packet& packet) const {
  std::printf("%10.3f us side %u to qp %u: %s\n", static_cast<double>(pair_.now().count_ps()) / 1e6, from,
              packet.bth.destination_qpn, to_line(packet).c_str());
}

/// Counts and digests every packet; the canary damages some of them behind the sender's back.
void Scenario::watch_packets() {
  for (Side* side : {&pair_.a, &pair_.b}) {
    side->out = [this, side, inner = side->out](const wire::Packet& packet) {
      ++outcome_.packets;
      for (const std::uint64_t part :
           {std::uint64_t{static_cast<std::uint8_t>(packet.bth.opcode)}, std::uint64_t{packet.bth.psn.value()},
            std::uint64_t{packet.bth.destination_qpn}, std::uint64_t{packet.payload.length}, pair_.now().count_ps()}) {
        outcome_.digest = (outcome_.digest ^ part) * 0x100'0000'01b3u;
      }
      if (options_.trace) print(side->number, packet);
      if (options_.canary != Canary::kFlip || packet.payload.length == 0 || outcome_.packets % 16 != 0)
        return inner(packet);
      OwnedPacket damaged(packet);
      damaged.payload()[packet.payload.length / 2] ^= std::byte{1};
      inner(damaged.view());
    };
  }
}

void Scenario::make_lines() {
  for (const bool at_a : {true, false}) {
    Side& side = at_a ? pair_.a : pair_.b;
    Shared& shared = at_a ? a_shared_ : b_shared_;
    shared.receives.shared = true;
    if (!rng_.chance(1, 3)) continue;
    rxe::SrqAttr attr{.max_wr = MemoryModel::kSlotCount, .max_sge = 1, .limit = 0};
    const auto srq = side.device.create_srq(side.pd, attr, nullptr);
    must(srq, "create_srq");
    if (srq) shared.srq = *srq;
  }
  const std::size_t reliable = 1 + static_cast<std::size_t>(rng_.below(5));
  const std::size_t unreliable = static_cast<std::size_t>(rng_.below(3));
  const std::size_t datagram = static_cast<std::size_t>(rng_.below(3));
  const std::size_t extended = options_.xrc ? 1 + static_cast<std::size_t>(rng_.below(3)) : 0;
  for (std::size_t i = 0; i < reliable + unreliable + datagram + extended && !failed(); ++i) {
    auto line = std::make_unique<Line>();
    const rxe::QpType type = i < reliable                           ? rxe::QpType::kRc
                             : i < reliable + unreliable            ? rxe::QpType::kUc
                             : i < reliable + unreliable + datagram ? rxe::QpType::kUd
                                                                    : rxe::QpType::kXrcSend;
    line->a_options = random_options(rng_, type);
    line->b_options = line->a_options;
    if (type == rxe::QpType::kRc && a_shared_.srq && rng_.chance(1, 2)) line->a_options.srq = a_shared_.srq;
    if (type == rxe::QpType::kRc && b_shared_.srq && rng_.chance(1, 2)) line->b_options.srq = b_shared_.srq;
    lines_.push_back(std::move(line));
    bring_up(*lines_.back());
    Line& made = *lines_.back();
    if (failed()) return;
    made.from_a = std::make_unique<Flow>(*made.a, a_memory_, b_memory_, at_b_, i);
    made.from_b = std::make_unique<Flow>(*made.b, b_memory_, a_memory_, at_a_, i);
    made.from_a->peer = made.from_b.get();
    made.from_b->peer = made.from_a.get();
    made.from_a->receives = made.a_options.srq ? &a_shared_.receives : &made.a_receives;
    made.from_b->receives = made.b_options.srq ? &b_shared_.receives : &made.b_receives;
    const bool lossy = pair_.a_to_b.faults.loss + pair_.b_to_a.faults.loss + pair_.a_to_b.faults.corrupt +
                           pair_.b_to_a.faults.corrupt + pair_.a_to_b.faults.reorder + pair_.b_to_a.faults.reorder !=
                       0;
    for (Flow* flow : {made.from_a.get(), made.from_b.get()}) {
      flow->peer_duplicates = repeats_;
      flow->places_early = options_.selective;
      flow->lossy = lossy;
    }
    if (options_.canary == Canary::kLoseCompletion && i == 0) made.from_a->canary_lose_completion = true;
  }
}

void Scenario::bring_up(Line& line) {
  if (line.a == nullptr) {
    line.a = std::make_unique<Endpoint>(pair_.a, line.a_options);
    line.b = std::make_unique<Endpoint>(pair_.b, line.b_options);
    if (line.a_options.type == rxe::QpType::kUd) {
      const auto to_b = pair_.a.device.create_ah(pair_.a.pd, route_to(2, line.a_options.sgid_index));
      const auto to_a = pair_.b.device.create_ah(pair_.b.pd, route_to(1, line.b_options.sgid_index));
      must(to_b, "create_ah");
      must(to_a, "create_ah");
      if (!to_b || !to_a) return;
      line.to_b = *to_b;
      line.to_a = *to_a;
    }
  }
  line.a->options.psn = random_psn(rng_);
  line.b->options.psn = random_psn(rng_);
  if (!connect(*line.a, *line.b)) fail("a connection could not be set up");
}

/// Through ERR, where everything left must be flushed, and RESET back to RTS.
void Scenario::revive(Line& line) {
  for (Flow* flow : {line.from_a.get(), line.from_b.get()}) {
    flow->doomed = true;
    must(flow->self.to_state(rxe::QpState::kErr), "modify_qp to ERR");
  }
  if (!pair_.drive(kStepsMax)) return fail("the engines do not come to rest after a flush");
  poll_all();
  for (Flow* flow : {line.from_a.get(), line.from_b.get()}) {
    // (Those of XRC are not the QP's: to RESET the endpoint makes its queue anew.)
    const bool flushes = !flow->receives->shared && !flow->self.is_xrc();
    if (flushes && !flow->receives->posted.empty()) return fail("a receive was not flushed");
    flow->rest();
    flow->forget();
    must(flow->self.to_state(rxe::QpState::kReset), "modify_qp to RESET");
    flow->word_value = flow->far.word(flow->own_word);
    flow->doomed = false;
  }
  bring_up(line);
}

void Scenario::poll_all() {
  for (const auto& line : lines_) {
    for (Flow* flow : {line->from_a.get(), line->from_b.get()}) {
      flow->poll();
      if (!flow->complaint.empty()) fail(flow->complaint);
    }
  }
  // Completed receives of an SRQ give their slots back.
  for (Shared* shared : {&a_shared_, &b_shared_}) {
    for (std::size_t slot = 0; slot < MemoryModel::kSlotCount; ++slot) {
      bool posted = false;
      for (const auto& receive : shared->receives.posted) {
        posted = posted || receive.pieces[0].offset == MemoryModel::slot_offset(slot);
      }
      shared->slot_used[slot] = posted;
    }
  }
}

void Scenario::settle() {
  resume_all();
  // Receives that an SRQ lacks become free slots only as others complete: several rounds may be needed.
  for (int round = 0; round < 200 && !failed(); ++round) {
    bool missing = false;
    for (const auto& line : lines_) {
      post_receives(*line, true, true);
      post_receives(*line, false, true);
      for (Flow* flow : {line->from_a.get(), line->from_b.get()}) {
        missing = missing ||
                  (flow->reliable() && !flow->peer->doomed && flow->peer->receives->shared && !flow->messages.empty());
      }
    }
    post_shared_receives(true, true);
    post_shared_receives(false, true);
    if (!missing) break;
    for (int i = 0; i < 500 && pair_.step(); ++i) {
    }
    poll_all();
  }
  if (!failed() && !pair_.drive(kStepsMax)) fail("the engines do not come to rest");
  poll_all();
}

void Scenario::verify() {
  for (const auto& line : lines_) {
    for (Flow* flow : {line->from_a.get(), line->from_b.get()}) {
      flow->rest();
      if (!flow->complaint.empty()) fail(flow->complaint);
      if (!flow->gave_up.empty()) outcome_.gave_up.push_back(std::move(flow->gave_up));
      flow->gave_up.clear();
      flow->window.part.length = 0;  // it lies in the pool, which begins anew
    }
  }
  if (failed()) return;
  for (const bool at_a : {true, false}) {
    SharedWord& shared = at_a ? at_a_ : at_b_;
    MemoryModel& memory = at_a ? a_memory_ : b_memory_;
    const std::uint64_t value = memory.word(kSharedWord);
    if (const auto wrong = shared.check(value); !wrong.empty()) return fail(wrong);
    memory.word_becomes(kSharedWord, value);
    if (const auto wrong = memory.check(); !wrong.empty()) return fail((at_a ? "side 1: " : "side 2: ") + wrong);
  }
  for (const Side* side : {&pair_.a, &pair_.b}) {
    if (!side->complaint.empty()) return fail("side " + std::to_string(side->number) + ": " + side->complaint);
  }
}

void Scenario::phase() {
  const std::uint64_t count = 20 + rng_.below(60);
  const std::uint64_t violent_at = rng_.chance(1, 4) ? rng_.below(count) : ~0ull;
  for (std::uint64_t i = 0; i < count && !failed(); ++i) {
    Line& line = *lines_[rng_.below(lines_.size())];
    for (std::uint64_t burst = 1 + rng_.below(4); burst > 0; --burst) post_random(line, rng_.chance(1, 2));
    if (i == violent_at) violence();
    if (rng_.chance(1, 8)) disturb();
    for (const auto& each : lines_) {
      post_receives(*each, true, false);
      post_receives(*each, false, false);
    }
    post_shared_receives(true, false);
    post_shared_receives(false, false);
    for (std::uint64_t steps = rng_.below(12); steps > 0 && pair_.step(); --steps) {
    }
    if (rng_.chance(1, 3)) poll_all();
  }
  settle();
  if (options_.canary == Canary::kStray)
    a_memory_.region().data()[rng_.below(a_memory_.region().size())] ^= std::byte{4};
  if (!failed()) verify();
  for (const auto& line : lines_) {
    const bool leftover = !line->a_receives.posted.empty() || !line->b_receives.posted.empty();
    if (!failed() && (leftover || line->from_a->doomed || line->from_b->doomed)) revive(*line);
  }
}

/// Everything can be destroyed in the end: nothing holds on to anything.
void Scenario::tear_down() {
  for (const auto& line : lines_) {
    for (Flow* flow : {line->from_a.get(), line->from_b.get()}) {
      rxe::Device& device = flow->self.side.device;
      if (flow->window.mw != rxe::MwId{}) must(device.dealloc_mw(flow->window.mw), "dealloc_mw");
      if (!flow->self.destroy()) fail("an endpoint cannot be destroyed");
    }
    if (line->a_options.type == rxe::QpType::kUd) {
      must(pair_.a.device.destroy_ah(line->to_b), "destroy_ah");
      must(pair_.b.device.destroy_ah(line->to_a), "destroy_ah");
    }
  }
  for (const bool at_a : {true, false}) {
    Side& side = at_a ? pair_.a : pair_.b;
    const Shared& shared = at_a ? a_shared_ : b_shared_;
    if (shared.srq) must(side.device.destroy_srq(*shared.srq), "destroy_srq");
    must(side.device.dereg_mr((at_a ? a_memory_ : b_memory_).region().mr().id), "dereg_mr");
    must(side.device.dealloc_pd(side.pd), "dealloc_pd");
    if (side.device.has_transmit() || side.device.next_timeout()) fail("an empty device has something to do");
  }
}

Outcome Scenario::run() {
  make_lines();
  for (std::uint64_t phases = 1 + rng_.below(3); phases > 0 && !failed(); --phases) phase();
  if (!failed()) tear_down();
  for (const auto& line : lines_) {
    for (const Flow* flow : {line->from_a.get(), line->from_b.get()}) {
      if (flow == nullptr) continue;
      outcome_.operations += flow->next_id - 1;
      outcome_.completions += flow->completed;
    }
  }
  return outcome_;
}

void Scenario::post_random(Line& line, bool from_a) {
  Flow& flow = from_a ? *line.from_a : *line.from_b;
  Traffic traffic{rng_, flow, from_a ? line.to_b : line.to_a, kSharedWord};
  if (const std::string wrong = traffic.post(); !wrong.empty()) fail(wrong);
}

void Scenario::post_receives(Line& line, bool at_a, bool all) {
  Flow& flow = at_a ? *line.from_a : *line.from_b;
  if (flow.receives->shared) return;
  if (const std::string wrong = post_missing_receives(rng_, flow, all); !wrong.empty()) fail(wrong);
}

void Scenario::post_shared_receives(bool at_a, bool all) {
  Shared& shared = at_a ? a_shared_ : b_shared_;
  if (!shared.srq) return;
  Side& side = at_a ? pair_.a : pair_.b;
  MemoryModel& memory = at_a ? a_memory_ : b_memory_;
  for (std::size_t slot = 0; slot < MemoryModel::kSlotCount; ++slot) {
    if (shared.slot_used[slot] || (!all && !rng_.chance(1, 4))) continue;
    const Piece piece{MemoryModel::slot_offset(slot), MemoryModel::kSlotBytes};
    const rxe::Sge sge = memory.region().sge(piece.offset, piece.length);
    const std::uint64_t id = shared.receives.next_id++;
    const auto posted = side.device.post_srq_recv(*shared.srq, {.wr_id = id, .sges = std::span(&sge, 1)});
    must(posted, "post_srq_recv");
    shared.slot_used[slot] = true;
    shared.receives.posted.push_back({id, {piece}, piece.length});
  }
}

}  // namespace rocelab::test::soak
