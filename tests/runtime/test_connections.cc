// Connection management between the processes of a host: who answers, what the dead leave behind, ports that all share.
#include <sched.h>

#include <csignal>
#include <string>

#include "base/rng.h"
#include "tests/runtime/peer_process.h"
#include "tests/runtime/temporary_directory.h"
#include "tests/support/catch.h"

using namespace rocelab;
using tests::PeerProcess;
using tests::TemporaryDirectory;

TEST_CASE("connections: two processes connect, write, and part", "[runtime][connections]") {
  const std::string progress = GENERATE("auto", "thread", "poll");
  TemporaryDirectory where;
  PeerProcess server(where.path(), {{"ROCELAB_PROGRESS", progress}});
  PeerProcess client(where.path(), {{"ROCELAB_PROGRESS", progress}});
  REQUIRE(server.ask("listen 7174") == "7174");
  server.tell("accept");
  CHECK(client.ask("connect 7174") == "ok");
  CHECK(server.hear() == "ok");
  CHECK(client.ask("write 0 5000") == "ok");
  CHECK(server.ask("write 0 60000") == "ok");
  CHECK(client.ask("disconnect 0") == "DREP received");
  CHECK(server.ask("await-end 0") == "DREQ received");
  CHECK(server.finish() == 0);
  CHECK(client.finish() == 0);
}

TEST_CASE("connections: by each entry of the GID table", "[runtime][connections]") {
  const std::string gid = GENERATE("0", "1", "2");
  TemporaryDirectory where;
  PeerProcess server(where.path(), {{"CM_PEER_GID", gid}}), client(where.path(), {{"CM_PEER_GID", gid}});
  REQUIRE(server.ask("listen 7174") == "7174");
  server.tell("accept");
  CHECK(client.ask("connect 7174") == "ok");
  CHECK(server.hear() == "ok");
  CHECK(client.ask("write 0 5000") == "ok");
  CHECK(client.ask("disconnect 0") == "DREP received");
}

TEST_CASE("connections: frames may be lost on the way", "[runtime][connections]") {
  TemporaryDirectory where;
  const PeerProcess::Variables lossy = {{"ROCELAB_FAULTS", "seed=1,loss=100000,duplicate=50000"}};
  PeerProcess server(where.path(), lossy), client(where.path(), lossy);
  REQUIRE(server.ask("listen 7174") == "7174");
  for (int i = 0; i < 5; ++i) {
    server.tell("accept");
    CHECK(client.ask("connect 7174") == "ok");
    CHECK(server.hear() == "ok");
    CHECK(client.ask("write " + std::to_string(i) + " 5000") == "ok");
    const std::string end = client.ask("disconnect " + std::to_string(i));
    CHECK((end == "DREP received" || end == "DREQ received"));
  }
}

TEST_CASE("connections: a server killed at any moment leaves a client that goes on", "[runtime][connections]") {
  TemporaryDirectory where;
  PeerProcess client(where.path());
  base::Rng rng(1, "connections");
  int number = 0;
  for (int round = 0; round < 15; ++round) {
    PeerProcess server(where.path());
    REQUIRE(server.ask("listen 2000") == "2000");
    server.tell("accept");
    client.tell("connect 2000");
    for (std::uint64_t i = rng.below(3000); i > 0; --i) sched_yield();
    server.finish(SIGKILL);
    const std::string said = client.hear();
    INFO(round << ": " << said);
    REQUIRE_FALSE(said.empty());
    if (said == "ok") CHECK(client.ask("await-end " + std::to_string(number)) == "DREQ received");
    ++number;
    PeerProcess next(where.path());
    REQUIRE(next.ask("listen 2000") == "2000");
    next.tell("accept");
    CHECK(client.ask("connect 2000") == "ok");
    CHECK(next.hear() == "ok");
    CHECK(client.ask("write " + std::to_string(number) + " 100") == "ok");
    ++number;
  }
  CHECK(client.finish() == 0);
}

TEST_CASE("connections: a process connects to itself", "[runtime][connections]") {
  TemporaryDirectory where;
  PeerProcess one(where.path());
  REQUIRE(one.ask("listen 0") != "0");
  one.tell("stop");
  CHECK(one.hear() == "ok");
  const std::string port = one.ask("listen 0");
  CHECK(one.ask("request " + port) == "ok");
  CHECK(one.ask("refuse") == "ok");
  CHECK(one.ask("await-end 0") == "REJ received");
}

TEST_CASE("connections: who listens answers, others are silent, and for nobody exactly one says no",
          "[runtime][connections]") {
  TemporaryDirectory where;
  PeerProcess a(where.path()), b(where.path()), c(where.path());
  REQUIRE(a.ask("listen 1000") == "1000");
  REQUIRE(b.ask("listen 2000") == "2000");
  CHECK(c.ask("listen 2000") != "2000");  // b has it
  b.tell("accept");
  CHECK(c.ask("connect 2000") == "ok");
  CHECK(b.hear() == "ok");
  CHECK(c.ask("connect 3000") == "rejected 8");
  CHECK(a.ask("connect 3000") == "rejected 8");
  a.tell("refuse");
  CHECK(c.ask("connect 1000") == "rejected 28");
  CHECK(a.hear() == "ok");
  CHECK(c.ask("counters").find("out_of_state 0") != std::string::npos);
}

TEST_CASE("connections: a killed process's connections end, and its port is free", "[runtime][connections]") {
  TemporaryDirectory where;
  PeerProcess client(where.path());
  PeerProcess idle(where.path());
  REQUIRE(idle.ask("listen 1000") == "1000");
  for (int round = 0; round < 3; ++round) {
    const std::string number = std::to_string(2 * round);  // the refused ones have numbers too
    PeerProcess server(where.path());
    REQUIRE(server.ask("listen 2000") == "2000");
    server.tell("accept");
    REQUIRE(client.ask("connect 2000") == "ok");
    CHECK(server.hear() == "ok");
    CHECK(client.ask("write " + number + " 100") == "ok");
    server.finish(SIGKILL);
    CHECK(client.ask("await-end " + number) == "DREQ received");
    CHECK(client.ask("connect 2000") == "rejected 8");
  }
  CHECK(client.finish() == 0);
}

TEST_CASE("connections: a process that ends in peace says so", "[runtime][connections]") {
  TemporaryDirectory where;
  PeerProcess client(where.path()), server(where.path());
  REQUIRE(server.ask("listen 2000") == "2000");
  server.tell("accept");
  REQUIRE(client.ask("connect 2000") == "ok");
  CHECK(server.hear() == "ok");
  CHECK(server.finish() == 0);
  CHECK(client.ask("await-end 0") == "DREQ received");
}
