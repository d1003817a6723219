// What disturbs a phase: things that must not matter (a QP drained and resumed, a queue resized, other memory
// registered, spurious calls), and things that break a QP.
#include "tests/rxe/soak/scenario.h"
#include "tests/rxe/soak/traffic.h"

namespace rocelab::test::soak {

/// Something breaks: a QP is put in error, destroyed, or makes an access that is not permitted.
void Scenario::violence() {
  Line& line = *lines_[rng_.below(lines_.size())];
  const bool at_a = rng_.chance(1, 2);
  Flow& flow = at_a ? *line.from_a : *line.from_b;
  if (rng_.chance(1, 3)) {  // a blackout that retries must survive
    FaultyLink& link = at_a ? pair_.a_to_b : pair_.b_to_a;
    link.drop_all(true);
    pair_.advance(base::Duration::us(static_cast<std::int64_t>(rng_.below(2000))));
    link.drop_all(false);
    return;
  }
  if (flow.reliable() && rng_.chance(1, 2)) {
    if (!post_bad_access(rng_, flow)) return;
  } else {
    must(flow.self.to_state(rxe::QpState::kErr), "modify_qp to ERR");
  }
  flow.doomed = flow.peer->doomed = true;
}

/// Something that no QP may notice.
void Scenario::disturb() {
  Line& line = *lines_[rng_.below(lines_.size())];
  Flow& flow = rng_.chance(1, 2) ? *line.from_a : *line.from_b;
  Side& side = flow.self.side;
  switch (rng_.below(5)) {
    case 0:  // drained: what has begun is finished, what is posted waits
      if (flow.self.state() == rxe::QpState::kRts) must(flow.self.to_state(rxe::QpState::kSqd), "modify_qp to SQD");
      return;
    case 1:
      return resume_all();
    case 2: {
      const std::size_t pending = side.device.cq_pending(flow.self.send_cq);
      const auto room = static_cast<std::uint32_t>(pending + 128 + rng_.below(300));
      must(side.device.resize_cq(flow.self.send_cq, room), "resize_cq");
      return;
    }
    case 3: {  // other memory comes and goes: what has been translated must be looked up again
      const auto mr = side.device.reg_mr(
          {.pd = side.pd, .host = nullptr, .length = 1 + rng_.below(10'000), .iova = 0, .access = kAllAccess});
      must(mr, "reg_mr");
      if (mr) must(side.device.dereg_mr(mr->id), "dereg_mr");
      return;
    }
    default:
      pair_.a.device.handle_timeout(pair_.now());
      pair_.b.device.handle_timeout(pair_.now());
      must(side.device.req_notify_cq(flow.self.recv_cq, rng_.chance(1, 2)), "req_notify_cq");
      side.gather_events();
      side.events.clear();
  }
}

void Scenario::resume_all() {
  for (const auto& line : lines_) {
    for (Flow* flow : {line->from_a.get(), line->from_b.get()}) {
      if (flow->self.state() == rxe::QpState::kSqd) must(flow->self.to_state(rxe::QpState::kRts), "modify_qp to RTS");
    }
  }
}

}  // namespace rocelab::test::soak
