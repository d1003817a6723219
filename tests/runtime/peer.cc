// A process of a host, for tests/runtime/test_processes.cc: opens the device of the configuration in its environment
// and obeys lines on standard input, answering each with one line. It ends with its input.
//
//   new [TIMEOUT RETRIES [GID]]  makes endpoint 0, 1, ...; answers its address
//   connect I ADDRESS            answers an errno value
//   send I COUNT BYTES SEED      COUNT messages of BYTES; answers "ok" or the first status that is not success
//   recv I COUNT BYTES SEED      receives them and compares
//   post-recv I COUNT BYTES      posts receives only
//   take I COUNT BYTES SEED      waits for what post-recv has posted and compares
//   write I COUNT BYTES SEED     RDMA WRITE, then READ back and compare
//   flood I BYTES                WRITEs for ever, never answers
//   mix COUNT BYTES              COUNT WRITEs on every endpoint, interleaved
//   destroy I                    ends an endpoint
//   silence                      "SWITCHES TICKS": context switches of the other threads, CPU ticks of the process
//   join GROUP                   a UD QP in a multicast group, with a receive posted
//   say TEXT                     sends a datagram to the group
//   listen                       waits for one, answers its text and posts another receive
//   resident                     pages of memory the process occupies
//   slot                         the process's slot
//   exec-free-fork               forks a child that ends at once
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "base/rng.h"
#include "runtime/host.h"
#include "tests/runtime/datagram_endpoint.h"
#include "tests/runtime/endpoint.h"

using namespace rocelab;
using tests::Endpoint;

namespace {

constexpr std::uint32_t kDepth = 64;
constexpr std::size_t kHalf = 1u << 20;  // memory: what is sent, what is received, what a flood fills

void fill(std::byte* bytes, std::size_t length, std::uint64_t seed) {
  base::Rng rng(seed, "peer");
  for (std::size_t i = 0; i < length; ++i) bytes[i] = static_cast<std::byte>(rng.next() >> 56);
}

std::string status(const rxe::Completion& completion) {
  return fmt::format("status {} ({:#x})", static_cast<int>(completion.status), completion.vendor_err);
}

class Peer {
 public:
  explicit Peer(runtime::Host& host, runtime::LocalDevice& device) : host_(host), device_(device) {}

  std::string obey(const std::string& line) {
    std::istringstream in(line);
    std::string command;
    in >> command;
    if (command == "new") return make(in);
    if (command == "slot") return std::to_string(host_.slot());
    if (command == "silence") return silence();
    if (command == "exec-free-fork") return fork_once();
    if (command == "mix") return mix(in);
    if (command == "resident") return resident();
    if (command == "join" || command == "say" || command == "listen") return datagrams(command, in);
    std::size_t index = 0;
    in >> index;
    if (index >= endpoints_.size() || endpoints_[index] == nullptr) return "no such endpoint";
    Endpoint& e = *endpoints_[index];
    if (command == "connect") {
      std::string rest;
      std::getline(in, rest);
      return std::to_string(e.connect(tests::Address::from_line(rest)));
    }
    if (command == "destroy") {
      endpoints_[index].reset();
      return "ok";
    }
    std::uint32_t count = 0, bytes = 0;
    std::uint64_t seed = 0;
    if (command == "flood") {
      in >> bytes;
      return flood(e, bytes);
    }
    in >> count >> bytes >> seed;
    if (command == "send") return send(e, count, bytes, seed);
    if (command == "recv") {
      const std::string posted = post(e, count, bytes);
      return posted.empty() ? take(e, count, bytes, seed) : posted;
    }
    if (command == "post-recv") return post(e, count, bytes) + "ok";
    if (command == "take") return take(e, count, bytes, seed);
    if (command == "write") return write(e, count, bytes, seed);
    return "what?";
  }

 private:
  std::string make(std::istringstream& in) {
    Endpoint::Options options;
    options.bytes = 3 * kHalf;
    options.depth = kDepth;
    unsigned timeout = options.timeout, retries = options.retry_count, gid = options.gid_index;
    in >> timeout >> retries >> gid;
    options.timeout = static_cast<std::uint8_t>(timeout);
    options.retry_count = static_cast<std::uint8_t>(retries);
    options.gid_index = static_cast<std::uint8_t>(gid);
    endpoints_.push_back(std::make_unique<Endpoint>(device_, options));
    return endpoints_.back()->address().to_line();
  }

  static std::string post(Endpoint& e, std::uint32_t count, std::uint32_t bytes) {
    for (std::uint32_t i = 0; i < count; ++i) {
      if (const int error = e.post_recv(i, kHalf, bytes)) return fmt::format("post_recv: {} ", error);
    }
    return "";
  }

  static std::string send(Endpoint& e, std::uint32_t count, std::uint32_t bytes, std::uint64_t seed) {
    for (std::uint32_t i = 0; i < count; ++i) {
      fill(e.memory(), bytes, seed + i);
      if (const int error = e.post_send(i, 0, bytes)) return fmt::format("post_send: {}", error);
      if (const auto done = e.wait(); done.status != rxe::WcStatus::kSuccess) return status(done);
    }
    return "ok";
  }

  static std::string take(Endpoint& e, std::uint32_t count, std::uint32_t bytes, std::uint64_t seed) {
    std::vector<std::byte> expected(bytes);
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto done = e.wait();
      if (done.status != rxe::WcStatus::kSuccess) return status(done);
      if (done.wr_id != i || done.byte_len != bytes)
        return fmt::format("message {} of {} bytes", done.wr_id, done.byte_len);
      // One message at a time is compared, so only the last of several may be looked at.
      fill(expected.data(), bytes, seed + i);
      if (count == 1 && bytes != 0 && std::memcmp(expected.data(), e.memory() + kHalf, bytes) != 0)
        return "wrong bytes";
    }
    return "ok";
  }

  static std::string write(Endpoint& e, std::uint32_t count, std::uint32_t bytes, std::uint64_t seed) {
    for (std::uint32_t i = 0; i < count; ++i) {
      fill(e.memory(), bytes, seed + i);
      if (const int error = e.post_write(1, 0, bytes, kHalf)) return fmt::format("post_write: {}", error);
      if (const int error = e.post_read(2, kHalf, bytes, kHalf)) return fmt::format("post_read: {}", error);
      for (int n = 0; n < 2; ++n) {
        if (const auto done = e.wait(); done.status != rxe::WcStatus::kSuccess) return status(done);
      }
      if (std::memcmp(e.memory(), e.memory() + kHalf, bytes) != 0) return "wrong bytes";
    }
    return "ok";
  }

  std::string mix(std::istringstream& in) {
    std::uint32_t count = 0, bytes = 0;
    in >> count >> bytes;
    std::vector<std::uint32_t> posted(endpoints_.size()), done(endpoints_.size());
    for (std::size_t finished = 0; finished < endpoints_.size();) {
      finished = 0;
      for (std::size_t i = 0; i < endpoints_.size(); ++i) {
        if (endpoints_[i] == nullptr) {
          ++finished;
          continue;
        }
        Endpoint& e = *endpoints_[i];
        while (posted[i] < count && posted[i] - done[i] < kDepth) {
          if (const int error = e.post_write(posted[i]++, 0, bytes, kHalf)) return fmt::format("post_write: {}", error);
        }
        while (const auto completion = e.poll()) {
          if (completion->status != rxe::WcStatus::kSuccess) return fmt::format("{}: {}", i, status(*completion));
          if (completion->wr_id != done[i]++) return "completion lost";
        }
        finished += done[i] == count ? 1 : 0;
      }
      sched_yield();
    }
    return "ok";
  }

  static std::string flood(Endpoint& e, std::uint32_t bytes) {
    std::puts("flooding");
    std::fflush(stdout);
    // Never more unpolled than the CQ holds: the progress thread retires requests meanwhile, and an overflow ends the
    // QP.
    std::uint32_t posted = 0, done = 0;
    for (;;) {
      while (posted - done < kDepth && e.post_write(1, 0, bytes, 2 * kHalf) == 0) ++posted;
      while (e.poll()) ++done;
      sched_yield();
    }
  }

  static std::string silence() {
    long switches = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      if (task.path().filename() == std::to_string(getpid())) continue;
      std::ifstream file(task.path() / "status");
      for (std::string line; std::getline(file, line);) {
        if (line.find("ctxt_switches:") != line.npos) switches += std::stol(line.substr(line.find(':') + 1));
      }
    }
    std::ifstream file("/proc/self/stat");
    std::string all;
    std::getline(file, all);
    std::istringstream in(all.substr(all.rfind(')') + 2));
    std::string word;
    for (int i = 0; i < 11; ++i) in >> word;
    long user = 0, system = 0;
    in >> user >> system;
    return fmt::format("{} {}", switches, user + system);
  }

  std::string datagrams(const std::string& command, std::istringstream& in) {
    std::string word;
    in >> word;
    if (command == "join") {
      datagrams_ = std::make_unique<tests::DatagramEndpoint>(device_, wire::parse_gid(word).value_or(wire::Gid{}));
    } else if (command == "say") {
      return datagrams_->send(word) == rxe::WcStatus::kSuccess ? "ok" : "not sent";
    } else {
      word = datagrams_->wait();
    }
    datagrams_->post_recv();
    return command == "join" ? "ok" : word;
  }

  static std::string resident() {
    std::ifstream file("/proc/self/statm");
    long size = 0, pages = 0;
    file >> size >> pages;
    return std::to_string(pages);
  }

  static std::string fork_once() {
    const pid_t child = fork();
    if (child == 0) _exit(runtime::process_host() ? 1 : 0);  // DPDK has been started: no host in this child
    int result = -1;
    waitpid(child, &result, 0);
    return result == 0 ? "ok" : fmt::format("child: {}", result);
  }

  runtime::Host& host_;
  runtime::LocalDevice& device_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::unique_ptr<tests::DatagramEndpoint> datagrams_;
};

}  // namespace

int main() {
  auto config = runtime::load_config();
  if (!config) return std::fprintf(stderr, "%s\n", config.error().c_str()), 2;
  auto host = runtime::Host::create(*config);
  if (!host) return std::fprintf(stderr, "%s\n", host.error().c_str()), 2;
  auto device = (*host)->open_device(0);
  if (!device) return std::fprintf(stderr, "%s\n", device.error().c_str()), 2;
  Peer peer(**host, **device);
  for (std::string line; std::getline(std::cin, line);) {
    std::puts(peer.obey(line).c_str());
    std::fflush(stdout);
  }
  return 0;
}
