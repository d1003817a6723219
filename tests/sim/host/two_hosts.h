// Hosts joined by one link, or more hosts in a star around a wire-speed relay without queues: what a test of the host
// model needs of a network, and no more.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/host/host.h"
#include "sim/kernel/simulation.h"

namespace rocelab::test {

using base::Duration;
using base::TimePoint;

/// Two hosts back to back.
class TwoHosts {
 public:
  static constexpr std::uint64_t kRate = 100'000'000'000;
  static constexpr Duration kDelay = Duration::us(1);

  explicit TwoHosts(const sim::HostOptions& host_options) : options(host_options) {
    for (std::uint32_t i = 0; i < 2; ++i) {
      hosts.push_back(std::make_unique<sim::Host>(options, pools, i, "host" + std::to_string(i)));
      simulation.add(*hosts[i]);
    }
    for (std::uint32_t i = 0; i < 2; ++i) {
      hosts[i]->port().attach({.node = i, .peer = 1 - i, .rate_bps = kRate, .delay = kDelay});
    }
    simulation.connect(0, 1, kDelay);
  }
  sim::Host& a() { return *hosts[0]; }
  sim::Host& b() { return *hosts[1]; }
  sim::RunOutcome run() { return simulation.run(TimePoint::from_ps(sim::kNever), {}); }

  const sim::HostOptions options;
  sim::PacketPools pools;
  sim::Simulation simulation;
  std::vector<std::unique_ptr<sim::Host>> hosts;
};

/// Posts what it is told when its event comes, and writes down what happens.
class Recorder final : public sim::FlowOwner, public sim::HostUser {
 public:
  enum class Kind : std::uint8_t { kWrite, kNotify, kSend, kRead };
  struct Post {
    sim::ConnectionId connection = 0;
    std::uint64_t bytes = 0;
    Kind kind = Kind::kWrite;
  };
  struct Line {
    std::uint64_t time_ps = 0;
    std::string text;
    friend bool operator==(const Line&, const Line&) = default;
  };

  /// At `at`, host `host` posts.
  void plan(sim::Simulation& simulation, std::uint32_t host, TimePoint at, const Post& post) {
    simulation.schedule_initial(at, host, sim::host_event::kFirstOfUser, 0, posts.size());
    posts.push_back(post);
  }

  void on_event(sim::Host& host, sim::Context& context, std::uint16_t, std::uint64_t number) override {
    const Post& post = posts[number];
    base::Result<void> posted;
    switch (post.kind) {
      case Kind::kWrite:
        posted = host.post_write(context, post.connection, post.bytes, number);
        break;
      case Kind::kNotify:
        posted =
            host.post_write(context, post.connection, post.bytes, number, true, static_cast<std::uint32_t>(number));
        break;
      case Kind::kSend:
        posted = host.post_send(context, post.connection, post.bytes, number, static_cast<std::uint32_t>(number));
        break;
      case Kind::kRead:
        posted = host.post_read(context, post.connection, post.bytes, number);
        break;
    }
    if (!posted) note(context, host, "refused: " + std::string(posted.error().what));
  }
  void on_complete(sim::Host& host, sim::Context& context, sim::ConnectionId, std::uint64_t user,
                   rxe::WcStatus status) override {
    note(context, host, "done " + std::to_string(user) + " status " + std::to_string(static_cast<int>(status)));
  }
  void on_message(sim::Host& host, sim::Context& context, sim::ConnectionId, std::uint32_t bytes,
                  std::uint32_t immediate) override {
    note(context, host, "message " + std::to_string(immediate) + " of " + std::to_string(bytes));
  }
  void note(sim::Context& context, const sim::Host& host, const std::string& text) {
    lines.push_back({context.now().count_ps(), host.name() + " " + text});
  }
  /// When something first happened; 0: never.
  std::uint64_t when(const std::string& text) const {
    for (const Line& line : lines) {
      if (line.text == text) return line.time_ps;
    }
    return 0;
  }

  std::vector<Post> posts;
  std::vector<Line> lines;
};

}  // namespace rocelab::test
