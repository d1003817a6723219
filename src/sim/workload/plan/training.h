// The phases of a training step of a large model as tasks: pipeline stages with micro-batches, tensor-parallel
// all-reduces within a stage, data-parallel all-reduces of the gradients at the end (Shoeybi et al., "Megatron-LM",
// 2019; Narayanan et al., "Efficient Large-Scale Language Model Training on GPU Clusters Using Megatron-LM", SC 2021).
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "sim/workload/plan/collective.h"
#include "sim/workload/plan/plan.h"

namespace rocelab::sim {

enum class PipelineSchedule : std::uint8_t {
  kOneForwardOneBackward,  ///< "1f1b": SC 2021, 2.2
  kGpipe,                  ///< all forward, then all backward
};

struct TrainingStep {
  std::uint32_t tensor = 1;    ///< ranks that share a layer; neighbours in the list of ranks
  std::uint32_t data = 1;      ///< replicas
  std::uint32_t pipeline = 1;  ///< stages; the slowest index
  std::uint32_t micro_batches = 1;
  std::uint32_t steps = 1;
  std::uint64_t forward_ps = 0;  ///< computation of a stage for one micro-batch
  std::uint64_t backward_ps = 0;
  std::uint64_t activation_bytes = 0;  ///< from stage to stage, each rank to its like, per micro-batch; and back
  std::uint64_t tensor_bytes = 0;      ///< all-reduced in the tensor group after each forward and backward; 0: none
  std::uint64_t gradient_bytes = 0;    ///< all-reduced in the data group at the end of the step, per rank; 0: none
  PipelineSchedule schedule = PipelineSchedule::kOneForwardOneBackward;
  CollectiveAlgorithm algorithm = CollectiveAlgorithm::kRing;
  std::vector<std::uint32_t> ranks;  ///< tensor * data * pipeline hosts
  std::uint64_t start_ps = 0;
  std::uint16_t workload = 0;
  std::uint8_t priority = 0;
};

void add_training(Plan& plan, const TrainingStep& step);

}  // namespace rocelab::sim
