// One seed of the soak: two engines, a handful of QPs of all services, memory models of both sides, a link that loses,
// repeats, reorders and damages, and phases of random operations. Deterministic: a seed names a run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "tests/rxe/harness/pair.h"
#include "tests/rxe/soak/flow.h"
#include "tests/rxe/soak/memory_model.h"

namespace rocelab::test::soak {

/// Deliberate faults of the harness that the soak must notice.
enum class Canary : std::uint8_t { kNone, kFlip, kStray, kLoseCompletion };

struct Outcome {
  std::string failure;  ///< empty: every promise was kept
  std::uint64_t operations = 0;
  std::uint64_t completions = 0;
  std::uint64_t packets = 0;
  std::uint64_t digest = 0;          ///< of all packets, addresses left out
  std::vector<std::string> gave_up;  ///< requests that ran out of retries
};

struct Options {
  Canary canary = Canary::kNone;
  bool trace = false;      ///< print each packet sent
  bool xrc = false;        ///< some lines are XRC
  bool selective = false;  ///< RC recovers from losses by selective repeat
};

Outcome run_seed(std::uint64_t seed, const Options& options);

/// A connection (or two UD QPs that know each other) with its bookkeeping.
struct Line {
  QpOptions a_options, b_options;
  std::unique_ptr<Endpoint> a, b;
  std::unique_ptr<Flow> from_a, from_b;
  ReceivePool a_receives, b_receives;
  rxe::AhId to_b{}, to_a{};
};

class Scenario {
 public:
  Scenario(std::uint64_t seed, const Options& options);
  Outcome run();

 private:
  struct Shared {
    std::optional<rxe::SrqId> srq;
    ReceivePool receives;
    bool slot_used[MemoryModel::kSlotCount] = {};
  };

  void print(unsigned from, const wire::Packet& packet) const;
  void watch_packets();
  void make_lines();
  void bring_up(Line& line);
  void revive(Line& line);
  void tear_down();
  void phase();
  void violence();
  void disturb();
  void resume_all();
  void settle();
  void verify();
  void post_random(Line& line, bool from_a);
  void post_receives(Line& line, bool at_a, bool all);
  void post_shared_receives(bool at_a, bool all);
  void poll_all();
  bool failed() const { return !outcome_.failure.empty(); }
  void fail(const std::string& what);
  template <class T>
  void must(const T& result, const char* what) {
    if (!result) fail(std::string(what) + ": " + result.error().what);
  }

  std::uint64_t seed_;
  Options options_;
  base::Rng rng_;
  Pair pair_;
  MemoryModel a_memory_, b_memory_;
  SharedWord at_a_, at_b_;
  Shared a_shared_, b_shared_;
  std::vector<std::unique_ptr<Line>> lines_;
  bool repeats_ = false;  ///< the link repeats or reorders
  Outcome outcome_;
};

}  // namespace rocelab::test::soak
