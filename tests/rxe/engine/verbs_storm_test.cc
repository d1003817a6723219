// Random sequences of verbs calls with good and bad arguments, and of packets: the fuzzer's script over random bytes.
#include <vector>

#include "base/rng.h"
#include "rxe/device.h"
#include "tests/rxe/script/script.h"
#include "tests/support/catch.h"

namespace rocelab::test {

TEST_CASE("storm: 20,000 random sequences of calls and packets keep every promise", "[rxe][storm]") {
  std::uint64_t calls = 0, completions = 0;
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    base::Rng rng(seed, "storm");
    std::vector<std::uint8_t> bytes(100 + static_cast<std::size_t>(rng.below(6000)));
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng.next());
    script::Script script(bytes);
    const std::string complaint = script.run();
    if (!complaint.empty()) FAIL("seed " << seed << ": " << complaint);
    calls += script.calls();
    completions += script.completions();
  }
  CHECK(calls > 100'000);
  CHECK(completions > 30'000);
}

}  // namespace rocelab::test
