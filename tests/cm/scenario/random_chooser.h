// Choices of a scenario from a seed: so many, then no more.
#pragma once

#include "base/rng.h"
#include "tests/cm/scenario/scenario.h"

namespace rocelab::test {

class RandomChooser final : public Chooser {
 public:
  RandomChooser(std::uint64_t seed, std::uint32_t count) : rng_(seed, "scenario"), left_(count) {}
  std::uint32_t below(std::uint32_t bound) override {
    if (left_ > 0) --left_;
    return static_cast<std::uint32_t>(rng_.below(bound));
  }
  bool exhausted() const override { return left_ == 0; }

 private:
  base::Rng rng_;
  std::uint32_t left_;
};

}  // namespace rocelab::test
