// See stop_signal.h.
#include "cli/stop_signal.h"

#include <csignal>

namespace rocelab::cli {

namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM};
volatile std::sig_atomic_t stop_requested = 0;

void note(int) { stop_requested = 1; }

}  // namespace

StopSignal::StopSignal() {
  stop_requested = 0;
  struct sigaction action = {};
  action.sa_handler = note;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // the second one ends the process
  for (const int number : kSignals) sigaction(number, &action, nullptr);
}

StopSignal::~StopSignal() {
  for (const int number : kSignals) std::signal(number, SIG_DFL);
}

bool StopSignal::requested() const { return stop_requested != 0; }

}  // namespace rocelab::cli
