// Collectives: who sends how much, in how many rounds, and that all ranks get to the end.
#include "sim/workload/plan/collective.h"

#include "tests/sim/workload/plan_model.h"
#include "tests/support/catch.h"

namespace rocelab::sim {

namespace {

constexpr std::uint64_t kStep = 1'000'000;

struct Outcome {
  std::uint64_t rounds;
  std::uint64_t bytes_of_rank_0;
  std::size_t sends;
};

Outcome run(Collective operation, CollectiveAlgorithm algorithm, std::uint32_t ranks, std::uint64_t bytes,
            std::uint32_t pieces = 1) {
  INFO(name_of(operation) << " by " << name_of(algorithm) << " of " << ranks);
  Plan plan;
  CollectiveRequest request;
  request.operation = operation;
  request.algorithm = algorithm;
  request.bytes = bytes;
  request.pieces = pieces;
  for (std::uint32_t r = 0; r < ranks; ++r) request.ranks.push_back(r);
  const std::vector<TaskId> exits = add_collective(plan, request);
  CHECK(exits.size() == ranks);
  CHECK(plan.spans().size() == ranks);
  const test::PlanModel model(plan, kStep);
  CHECK(model.stuck() == 0);
  CHECK(model.end_ps() % kStep == 0);
  return {model.end_ps() / kStep, model.bytes_sent(0), model.sends()};
}

}  // namespace

TEST_CASE("collective: a ring all-reduce takes 2(n-1) rounds of 1/n of the bytes", "[sim][workload]") {
  for (const std::uint32_t n : {2u, 3u, 8u, 16u}) {
    const Outcome out = run(Collective::kAllReduce, CollectiveAlgorithm::kRing, n, 1000 * n);
    CHECK(out.rounds == 2 * (n - 1));
    CHECK(out.bytes_of_rank_0 == 2 * (n - 1) * 1000);
    CHECK(out.sends == 2 * (n - 1) * n);
  }
}

TEST_CASE("collective: ring all-gather and reduce-scatter take n-1 rounds", "[sim][workload]") {
  for (const Collective operation : {Collective::kAllGather, Collective::kReduceScatter}) {
    const Outcome out = run(operation, CollectiveAlgorithm::kRing, 8, 8000);
    CHECK(out.rounds == 7);
    CHECK(out.bytes_of_rank_0 == 7000);
  }
}

TEST_CASE("collective: halving and doubling take log2(n) rounds each, and a fold when n is no power of two",
          "[sim][workload]") {
  const Outcome out = run(Collective::kAllReduce, CollectiveAlgorithm::kHalvingDoubling, 8, 8000);
  CHECK(out.rounds == 6);
  CHECK(out.bytes_of_rank_0 == 2 * 7000);
  CHECK(run(Collective::kReduceScatter, CollectiveAlgorithm::kHalvingDoubling, 16, 16000).rounds == 4);
  CHECK(run(Collective::kAllGather, CollectiveAlgorithm::kHalvingDoubling, 16, 16000).rounds == 4);
  CHECK(run(Collective::kAllReduce, CollectiveAlgorithm::kHalvingDoubling, 6, 8000).rounds == 6);
}

TEST_CASE("collective: trees are as deep as their ranks need", "[sim][workload]") {
  CHECK(run(Collective::kBroadcast, CollectiveAlgorithm::kTree, 7, 100).rounds == 2);
  CHECK(run(Collective::kBroadcast, CollectiveAlgorithm::kTree, 8, 100).rounds == 3);
  CHECK(run(Collective::kAllReduce, CollectiveAlgorithm::kTree, 15, 100).rounds == 6);
  CHECK(run(Collective::kAllReduce, CollectiveAlgorithm::kTree, 15, 100, 4).sends == 4 * 2 * 14);
  CHECK(run(Collective::kBroadcast, CollectiveAlgorithm::kRing, 8, 100, 4).sends == 4 * 7);
}

TEST_CASE("collective: all to all is direct or pair by pair; a barrier is heard in log2(n) rounds", "[sim][workload]") {
  CHECK(run(Collective::kAllToAll, CollectiveAlgorithm::kDirect, 8, 8000).rounds == 1);
  CHECK(run(Collective::kAllToAll, CollectiveAlgorithm::kPairwise, 8, 8000).rounds == 7);
  CHECK(run(Collective::kAllToAll, CollectiveAlgorithm::kDirect, 8, 8000).bytes_of_rank_0 == 7000);
  CHECK(run(Collective::kBarrier, CollectiveAlgorithm::kDissemination, 9, 0).rounds == 4);
}

TEST_CASE("collective: every algorithm ends for every number of ranks and fewer bytes than ranks", "[sim][workload]") {
  for (int operation = 0; operation < 6; ++operation) {
    for (int algorithm = 0; algorithm < 7; ++algorithm) {
      const auto o = static_cast<Collective>(operation);
      const auto a = static_cast<CollectiveAlgorithm>(algorithm);
      if (!possible(o, a)) continue;
      for (std::uint32_t n = 1; n <= 17; ++n) run(o, a, n, 3, 2);
    }
  }
}

TEST_CASE("collective: it begins rank by rank after what was before, and computes before passing on",
          "[sim][workload]") {
  Plan plan;
  CollectiveRequest request;
  request.operation = Collective::kAllReduce;
  request.algorithm = CollectiveAlgorithm::kRing;
  request.bytes = 100;
  request.compute_ps = 10;
  for (std::uint32_t r = 0; r < 4; ++r) {
    request.ranks.push_back(r);
    request.entries.push_back(plan.delay(0, r, r == 2 ? 500 : 0));
  }
  add_collective(plan, request);
  const test::PlanModel model(plan, kStep);
  CHECK(model.stuck() == 0);
  CHECK(model.end_ps() == 500 + 6 * kStep + 3 * 10);  // three steps reduce what the step before brought
}

}  // namespace rocelab::sim
