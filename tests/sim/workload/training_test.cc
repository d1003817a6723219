// Training steps: their length in closed form when the network takes a fixed time a message.
#include "sim/workload/plan/training.h"

#include "tests/sim/workload/plan_model.h"
#include "tests/support/catch.h"

namespace rocelab::sim {

namespace {

TrainingStep step(std::uint32_t tensor, std::uint32_t data, std::uint32_t pipeline, std::uint32_t micro) {
  TrainingStep out;
  out.tensor = tensor;
  out.data = data;
  out.pipeline = pipeline;
  out.micro_batches = micro;
  out.forward_ps = 1000;
  out.backward_ps = 2000;
  out.activation_bytes = 100;
  for (std::uint32_t r = 0; r < tensor * data * pipeline; ++r) out.ranks.push_back(r);
  return out;
}

}  // namespace

TEST_CASE("training: a pipeline takes (micro-batches + stages - 1) times forward and backward, whatever the schedule",
          "[sim][workload]") {
  for (const PipelineSchedule schedule : {PipelineSchedule::kOneForwardOneBackward, PipelineSchedule::kGpipe}) {
    TrainingStep s = step(1, 1, 4, 8);
    s.schedule = schedule;
    Plan plan;
    add_training(plan, s);
    const test::PlanModel model(plan, 0);
    CHECK(model.stuck() == 0);
    CHECK(model.end_ps() == (8 + 4 - 1) * 3000);
    CHECK(model.sends() == 2 * 3 * 8);  // activations down three borders and gradients up
  }
}

TEST_CASE("training: tensor groups reduce after every pass, data groups once a step", "[sim][workload]") {
  TrainingStep s = step(2, 2, 1, 3);
  s.tensor_bytes = 1000;
  s.gradient_bytes = 5000;
  s.steps = 2;
  Plan plan;
  add_training(plan, s);
  const test::PlanModel model(plan, 10);
  CHECK(model.stuck() == 0);
  // Two ring rounds of 10 after each pass (six a step), and two at the end of a step.
  CHECK(model.end_ps() == 2 * (3 * 3000 + 6 * 20 + 20));
  CHECK(model.bytes_sent(0) == 2 * (6 * 1000 + 5000));
}

TEST_CASE("training: all three dimensions together come to an end", "[sim][workload]") {
  TrainingStep s = step(2, 2, 4, 6);
  s.tensor_bytes = 1000;
  s.gradient_bytes = 5000;
  s.start_ps = 77;
  Plan plan;
  add_training(plan, s);
  CHECK(test::PlanModel(plan, 10).stuck() == 0);
}

}  // namespace rocelab::sim
