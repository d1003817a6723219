// Many threads on one device (suite `threads`: also under the thread sanitizer). Everything goes through the loopback,
// so DPDK, which is not built for the sanitizer, never starts.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "runtime/engine_lock.h"
#include "runtime/host.h"
#include "tests/runtime/endpoint.h"
#include "tests/runtime/temporary_directory.h"
#include "tests/support/catch.h"

using namespace rocelab;
using namespace rocelab::runtime;
using rxe::WcStatus;
using tests::Endpoint;
using tests::TemporaryDirectory;

namespace {

constexpr int kThreads = 4;
constexpr int kMessages = 300;

struct Lab {
  explicit Lab(ProgressMode progress) {
    Config config;
    config.run_dir = where.path();
    config.progress = progress;
    host = std::move(*Host::create(config));
    device = *host->open_device(0);
  }
  TemporaryDirectory where;
  std::unique_ptr<Host> host;
  LocalDevice* device = nullptr;
};

/// Catch2's assertions are for one thread: others count what goes wrong.
struct Faults {
  std::atomic<int> count{0};
  void unless(bool good) {
    if (!good) ++count;
  }
};

}  // namespace

TEST_CASE("threads: connections of their own, set up, used and torn down at once", "[runtime][threads]") {
  const auto mode = GENERATE(ProgressMode::kAuto, ProgressMode::kThread, ProgressMode::kPoll);
  Lab lab(mode);
  Faults faults;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 3; ++round) {
        Endpoint a(*lab.device), b(*lab.device);
        faults.unless(a.connect(b.address()) == 0 && b.connect(a.address()) == 0);
        for (int i = 0; i < kMessages / 3; ++i) {
          std::memset(a.memory(), t * 50 + i % 50, 5'000);
          faults.unless(b.post_recv(1, 0, 65'536) == 0);
          faults.unless(a.post_send(2, 0, 5'000) == 0);
          faults.unless(a.wait().status == WcStatus::kSuccess);
          faults.unless(b.wait().status == WcStatus::kSuccess);
          faults.unless(std::memcmp(a.memory(), b.memory(), 5'000) == 0);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(faults.count == 0);
}

TEST_CASE("threads: many post on one QP while one polls; every request completes once", "[runtime][threads]") {
  Lab lab(ProgressMode::kAuto);
  Endpoint::Options options;
  options.depth = 256;
  options.cqe = 2 * kThreads * kMessages;
  Endpoint a(*lab.device, options), b(*lab.device, options);
  REQUIRE(a.connect(b.address()) == 0);
  REQUIRE(b.connect(a.address()) == 0);
  Faults faults;
  std::vector<std::atomic<int>> completed(kThreads * kMessages);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kMessages; ++i) {
        int error = ENOMEM;
        while ((error = a.post_write(static_cast<std::uint64_t>(t * kMessages + i), 0, 100, 0)) == ENOMEM) {
          std::this_thread::yield();  // the queue is full: the poller makes room
        }
        faults.unless(error == 0);
      }
    });
  }
  for (int i = 0; i < kThreads * kMessages; ++i) {
    const auto completion = a.wait();
    faults.unless(completion.status == WcStatus::kSuccess);
    ++completed[completion.wr_id];
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(faults.count == 0);
  CHECK(std::all_of(completed.begin(), completed.end(), [](const std::atomic<int>& n) { return n == 1; }));
}

TEST_CASE("threads: many poll one CQ; every completion is handed out once", "[runtime][threads]") {
  Lab lab(ProgressMode::kAuto);
  constexpr int kTotal = 1'000;
  Endpoint::Options options;
  options.cqe = kTotal;
  Endpoint a(*lab.device, options), b(*lab.device, options);
  REQUIRE(a.connect(b.address()) == 0);
  REQUIRE(b.connect(a.address()) == 0);
  std::atomic<int> completed{0};
  std::vector<std::atomic<int>> times(kTotal);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      while (completed.load() < kTotal) {
        if (const auto completion = a.poll()) {
          ++times[completion->wr_id];
          ++completed;
        } else {
          std::this_thread::yield();
        }
      }
    });
  }
  for (int i = 0; i < kTotal; ++i) {
    while (a.post_write(static_cast<std::uint64_t>(i), 0, 64, 0) == ENOMEM) std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(std::all_of(times.begin(), times.end(), [](const std::atomic<int>& n) { return n == 1; }));
}

TEST_CASE("threads: a device may be retired while others still call it", "[runtime][threads]") {
  Lab lab(ProgressMode::kAuto);
  auto a = std::make_unique<Endpoint>(*lab.device);
  auto b = std::make_unique<Endpoint>(*lab.device);
  REQUIRE(a->connect(b->address()) == 0);
  REQUIRE(b->connect(a->address()) == 0);
  std::atomic<int> running{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      ++running;
      while (lab.device->usable()) {
        static_cast<void>(a->post_write(1, 0, 64, 0));
        static_cast<void>(a->poll());
        static_cast<void>(a->arm());
      }
    });
  }
  while (running.load() < kThreads) std::this_thread::yield();
  lab.host->retire();
  for (std::thread& thread : threads) thread.join();
  CHECK_FALSE(lab.device->usable());
}

TEST_CASE("threads: the engine lock keeps others out, whichever way they wait", "[runtime][threads]") {
  EngineLock lock;
  int value = 0;  // the sanitizer would see an unprotected access
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5'000;) {
        if (t == 0 && !lock.try_lock()) {
          std::this_thread::yield();
          continue;
        }
        if (t == 1) lock.lock_patiently();
        if (t > 1) lock.lock();
        ++value;
        lock.unlock();
        ++i;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(value == kThreads * 5'000);
  CHECK_FALSE(lock.has_waiters());
  CHECK(lock.try_lock());
  CHECK_FALSE(lock.try_lock());
}
