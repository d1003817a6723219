// Runs arbitrary bytes as the choices of a scenario of connections (tests/cm/scenario): calls, losses, deaths and, when
// the first byte is odd, forged datagrams. What the scenario watches must hold. With ROCELAB_CANARY the target has a
// bug, which the fuzzer must find.
#include <span>
#include <vector>

#include "tests/cm/scenario/scenario.h"
#include "tests/fuzz/fuzz.h"

namespace rocelab::fuzz {
namespace {

class ByteChooser final : public test::Chooser {
 public:
  explicit ByteChooser(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  std::uint32_t below(std::uint32_t bound) override {
    if (bytes_.empty()) return 0;
    const std::uint32_t choice = bytes_.front() % bound;  // no bound is beyond 256
    bytes_ = bytes_.subspan(1);
    return choice;
  }
  bool exhausted() const override { return bytes_.empty(); }

 private:
  std::span<const std::uint8_t> bytes_;
};

#ifdef ROCELAB_CANARY
/// A table too short for those who connect, resolve and die in one run.
void planted_bug(const test::Scenario::Reached& reached) {
  const std::vector<int> table(1);
  const std::size_t at = reached.deaths != 0 && reached.established != 0 && reached.resolved != 0 ? 1 : 0;
  const volatile int beyond = *(table.data() + at);
  static_cast<void>(beyond);
}
#endif

void run(std::span<const std::uint8_t> bytes) {
  test::ScenarioOptions options;
  options.forges = (bytes.front() & 1) != 0;
  ByteChooser chooser(bytes.subspan(1));
  test::Scenario scenario(chooser, options);
  try {
    scenario.run();
  } catch (const test::Violation& violation) {
    demand(false, violation.what());
  }
#ifdef ROCELAB_CANARY
  planted_bug(scenario.reached());
#endif
}

}  // namespace
}  // namespace rocelab::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size != 0) rocelab::fuzz::run({data, size});
  return 0;
}
