// make_results PATH [KEY=NUMBER...]: writes the results of a run that never was (made_up_run.h), for tests of the page.
#include <charconv>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>

#include "tests/sim/report/made_up_run.h"

namespace {

using rocelab::sim::MadeUpRun;
using rocelab::sim::RunStatus;

bool set(MadeUpRun& run, std::string_view key, std::uint64_t value) {
  const auto small = static_cast<std::uint32_t>(value);
  if (key == "seed")
    run.seed = value;
  else if (key == "leaves")
    run.leaves = small;
  else if (key == "spines")
    run.spines = small;
  else if (key == "hosts_per_leaf")
    run.hosts_per_leaf = small;
  else if (key == "flows")
    run.flows = value;
  else if (key == "samples")
    run.samples = small;
  else if (key == "kmin_bytes")
    run.kmin_bytes = value;
  else if (key == "interrupted")
    run.status = value != 0 ? RunStatus::kInterrupted : RunStatus::kComplete;
  else
    return false;
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  MadeUpRun run;
  for (int i = 2; i < argc; ++i) {
    const std::string_view word = argv[i];
    const auto equals = word.find('=');
    std::uint64_t value = 0;
    const bool good = equals != std::string_view::npos &&
                      std::from_chars(word.data() + equals + 1, word.data() + word.size(), value).ec == std::errc() &&
                      set(run, word.substr(0, equals), value);
    if (!good) {
      std::fprintf(stderr, "make_results: what is '%s'?\n", argv[i]);
      return 2;
    }
  }
  const std::string error = argc < 2 ? "usage: make_results PATH [KEY=NUMBER...]" : write_made_up_run(argv[1], run);
  if (!error.empty()) std::fprintf(stderr, "make_results: %s\n", error.c_str());
  return error.empty() ? 0 : 1;
}
