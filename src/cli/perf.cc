// `rocelab perf BENCHMARK [SERVER]`: perftest's benchmarks on this machine's device, between two processes, or in
// virtual time between two hosts of a scenario (--sim).
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "cli/command.h"
#include "cli/settings.h"
#include "perftest/benchmark.h"
#include "perftest/socket.h"
#include "sim/workload/run/network.h"
#include "sim/workload/scenario/scenario.h"
#include "sim_verbs/simulated_benchmark.h"

namespace rocelab::cli {

namespace {

struct PerfArguments {
  perftest::Options options;
  std::string benchmark;
  std::string server;
  std::uint16_t port = perftest::kPortDefault;
  std::string scenario, from, to;
  std::vector<std::string> assignments;
  bool priority_given = false;
};

int run_real(const PerfArguments& arguments) {
  const bool client = !arguments.server.empty();
  if (!client) {
    std::printf(
        "\n************************************\n* Waiting for client to connect... *\n"
        "************************************\n");
    std::fflush(stdout);
  }
  auto other = client ? perftest::connect_to_server(arguments.server, arguments.port)
                      : perftest::listen_for_client(arguments.port);
  if (!other) return fail("perf", other.error(), kExitFailure);
  const auto role = client ? perftest::Role::kClient : perftest::Role::kServer;
  const std::string problem = perftest::run(arguments.options, role, **other);
  return problem.empty() ? 0 : fail("perf", problem, kExitFailure);
}

int run_simulated(PerfArguments arguments) {
  const auto scenario = sim::load_scenario(arguments.scenario, {arguments.assignments});
  if (!scenario) return fail("perf", scenario.error(), kExitUsage);
  const auto network = sim::Network::make(**scenario, 1);
  if (!network) return fail("perf", network.error(), kExitUsage);
  if (!arguments.priority_given) arguments.options.service_level = (*scenario)->transport.priority;
  const sim::NodeNames names((*scenario)->topology);
  const auto hosts = (*network)->hosts();
  sim::Host* ends[2] = {};
  for (unsigned i = 0; i < 2; ++i) {
    const std::string& name = i == 0 ? arguments.from : arguments.to;
    const auto node = names.find(name);
    if (!node || *node >= hosts.size()) {
      return fail("perf", std::string(i == 0 ? "--from " : "--to ") + name + ": the scenario has no such host",
                  kExitUsage);
    }
    ends[i] = hosts[*node].get();
  }
  const auto outcome =
      sim_verbs::run_benchmark((*network)->simulation(), *ends[0], *ends[1], arguments.options,
                               [](std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); });
  for (unsigned i = 0; i < 2; ++i) {
    if (!outcome.problem[i].empty()) return fail("perf", ends[i]->name() + ": " + outcome.problem[i], kExitFailure);
  }
  return 0;
}

int run(PerfArguments arguments, const Settings& settings) {
  if (!perftest::parse_name(arguments.benchmark, arguments.options)) {
    return fail("perf", arguments.benchmark + ": the benchmarks are {write,read,send,atomic}_{bw,lat}", kExitUsage);
  }
  if (!arguments.scenario.empty()) {
    if (!arguments.server.empty()) return fail("perf", "a server is for real runs, not for --sim", kExitUsage);
    return run_simulated(std::move(arguments));
  }
  if (!arguments.from.empty() || !arguments.to.empty()) return fail("perf", "--from and --to need --sim", kExitUsage);
  const auto config = settings.apply();
  if (!config) return fail("perf", config.error(), kExitUsage);
  return run_real(arguments);
}

}  // namespace

void add_perf_command(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("perf", "Measure bandwidth or latency as perftest does, for real or simulated");
  const auto arguments = std::make_shared<PerfArguments>();
  const auto settings = std::make_shared<Settings>();
  perftest::Options& options = arguments->options;
  command->add_option("benchmark", arguments->benchmark, "{write,read,send,atomic}_{bw,lat}")->required();
  command->add_option("server", arguments->server, "Where the server runs; without it this is the server");
  command->add_option("-s,--size", options.bytes, "Bytes of a message")->check(CLI::Range(1u, 1u << 23));
  command->add_flag("-a,--all", options.all_sizes, "All sizes from 2 to 2^23 bytes");
  command->add_option("-n,--iters", options.iterations, "Messages of each size")->check(CLI::Range(1u, 100'000'000u));
  command->add_option("-t,--tx-depth", options.tx_depth, "Requests outstanding")->check(CLI::Range(1u, 16'384u));
  command->add_option("-m,--path-mtu", options.mtu, "Path MTU")->check(CLI::IsMember({256, 512, 1024, 2048, 4096}));
  command->add_option("-x,--gid-index", options.gid_index, "Index of the source GID");
  command->add_option("-S,--sl", options.service_level, "Service level")->check(CLI::Range(0, 7));
  command->add_option("-T,--tclass", options.traffic_class, "Traffic class");
  command->add_option("-I,--inline_size", options.inline_bytes, "Messages up to this size go inline")
      ->check(CLI::Range(0u, 512u));
  command->add_option("-d,--ib-dev", options.device, "The device; default: the first");
  command->add_option("-p,--tcp-port", arguments->port, "TCP port of the server");
  CLI::Option* scenario =
      command->add_option("--sim", arguments->scenario, "Run in virtual time in this scenario's cluster");
  CLI::Option* from = command->add_option("--from", arguments->from, "The client's host");
  CLI::Option* to = command->add_option("--to", arguments->to, "The server's host");
  scenario->needs(from)->needs(to);
  command->add_option("--set", arguments->assignments, "KEY=VALUE instead of what the scenario says; repeatable")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->needs(scenario);
  settings->add_options(*command);
  const CLI::Option* priority = command->get_option("--sl");
  set_action(*command, [arguments, settings, priority] {
    arguments->priority_given = priority->count() != 0;
    return run(*arguments, *settings);
  });
}

}  // namespace rocelab::cli
