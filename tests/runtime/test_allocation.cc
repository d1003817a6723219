// After warm-up nothing on the data path allocates: posting, polling, arming, moving packets, in any thread of the
// process. Every operator new of the program is counted here.
#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>

#include "runtime/host.h"
#include "tests/runtime/endpoint.h"
#include "tests/runtime/temporary_directory.h"
#include "tests/support/catch.h"

namespace {
std::atomic<long> allocations{0};
}  // namespace

void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* const memory = std::malloc(bytes != 0 ? bytes : 1)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

using namespace rocelab;
using tests::Endpoint;

TEST_CASE("allocation: 5,000 messages after warm-up allocate nothing", "[runtime][allocation]") {
  const auto mode = GENERATE(runtime::ProgressMode::kAuto, runtime::ProgressMode::kThread);
  const tests::TemporaryDirectory where;
  runtime::Config config;
  config.run_dir = where.path();
  config.progress = mode;
  auto host = std::move(*runtime::Host::create(config));
  Endpoint a(**host->open_device(0)), b(**host->open_device(0));
  REQUIRE(a.connect(b.address()) == 0);
  REQUIRE(b.connect(a.address()) == 0);
  int faults = 0;
  const auto exchange = [&](int messages) {
    for (int i = 0; i < messages; ++i) {
      faults += b.arm() != 0;
      faults += b.post_recv(1, 0, 20'000) != 0;
      faults += a.post_send(2, 0, 20'000) != 0;
      faults += a.wait().status != rxe::WcStatus::kSuccess;
      faults += b.wait().status != rxe::WcStatus::kSuccess;
      faults += a.post_read(3, 30'000, 10'000, 0) != 0;
      faults += a.wait().status != rxe::WcStatus::kSuccess;
    }
  };
  exchange(500);
  const long before = allocations.load();
  exchange(5'000);
  const long during = allocations.load() - before;
  CHECK(during == 0);
  CHECK(faults == 0);
}
