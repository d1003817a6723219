// See command.h.
#include "cli/command.h"

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <utility>

namespace rocelab::cli {

void set_action(CLI::App& command, std::function<int()> action) {
  // CLI11 has no return value for callbacks: a status other than 0 travels as its RuntimeError, which main() catches.
  command.callback([run = std::move(action)] {
    const int status = run();
    if (status != 0) throw CLI::RuntimeError(status);
  });
}

int fail(std::string_view command, std::string_view text, int status) {
  std::fprintf(stderr, "rocelab %.*s: %.*s\n", static_cast<int>(command.size()), command.data(),
               static_cast<int>(text.size()), text.data());
  return status;
}

void make_file_limit_an_error() { std::signal(SIGXFSZ, SIG_IGN); }

}  // namespace rocelab::cli
