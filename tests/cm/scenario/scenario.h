// Three processes on two hosts that connect, resolve, refuse, part and die while their link loses, repeats, reorders
// and, if asked to, forges; every choice comes from outside, so that a seed or a fuzzer's bytes decide. After each
// step, and in a quiet end that always comes, what must hold is checked; a violation is thrown as a Violation.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>

#include "cm/manager.h"

namespace rocelab::test {

/// Where choices come from.
class Chooser {
 public:
  virtual ~Chooser() = default;
  /// In [0, bound); bound > 0.
  virtual std::uint32_t below(std::uint32_t bound) = 0;
  /// No more choices: the scenario goes to its end.
  virtual bool exhausted() const = 0;
};

struct Violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct ScenarioOptions {
  bool forges = false;  ///< datagrams are changed on their way: then what both sides know need not agree
};

class Scenario {
 public:
  Scenario(Chooser& chooser, const ScenarioOptions& options);
  ~Scenario();
  /// Runs to its end. Returns a number that depends on everything that happened.
  std::uint64_t run();

  struct Reached {
    std::uint64_t established = 0, resolved = 0, refused = 0, deaths = 0, timeouts = 0;
  };
  const Reached& reached() const { return reached_; }

 private:
  /// What a consumer knows of an id it has.
  struct Known {
    bool told_reply = false, told_ready = false, told_request = false;
    std::uint32_t qpn = 0;
  };
  struct Process;
  struct Datagram {
    wire::Path path;
    std::array<std::byte, cm::kMadBytes> bytes;
  };

  void step();
  void connect(Process& process);
  void resolve(Process& process);
  void act(Process& process);
  void disturb();
  void kill(Process& process);
  void pass(base::Duration duration);
  void collect();
  void take(Process& process, const cm::Event& event);
  void deliver(const Datagram& datagram);
  void settle();
  void check();
  void finish();
  void prove_life();
  void fresh(Process& process);
  Process& any();
  void note(std::uint64_t value) { digest_ = (digest_ ^ value) * 0x100000001b3; }

  Chooser& chooser_;
  const ScenarioOptions options_;
  base::TimePoint now_ = base::TimePoint::from_ps(1);
  std::array<std::unique_ptr<Process>, 3> processes_;
  std::deque<Datagram> link_;
  std::uint32_t next_qpn_ = 0x100;
  std::uint64_t seed_ = 1;
  std::uint64_t digest_ = 0xcbf29ce484222325;
  Reached reached_;
};

}  // namespace rocelab::test
