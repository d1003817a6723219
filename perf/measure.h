// A list of measurements that a program repeats in turn, and how it reports them: a table for people, CSV for
// perf/compare. Used by every program in perf/ that measures with two processes.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "perf/pair.h"

namespace rocelab::perf {

struct Measurement {
  std::string name;
  std::string unit;
  std::function<double()> run;      ///< one repetition; negative: the other process failed or the data is wrong
  std::vector<double> values = {};  ///< one a repetition
};

/// What every such program is told on its command line.
struct RunOptions {
  std::string cpus;
  std::string csv;
  std::string only;  ///< run the measurements whose names contain this
  int repetitions = 5;
  double scale = 1;
  bool realtime = false;
  bool silent = false;  ///< the second process of a session: measures along, reports nothing
};

/// The middle value; of an even number the upper of the two in the middle.
double median(std::vector<double> values);

/// `count` scaled, at least `least`.
std::size_t scaled(double count, double scale, std::size_t least = 64);

/// Runs all of them `repetitions` times in turn, so that a disturbance does not hit one line only, then prints the
/// table and writes the CSV. Returns the exit status of the program, whose name is used in messages.
int run_measurements(const char* program, std::vector<Measurement> all, const Processors& processors,
                     const RunOptions& options);

/// Keeps the compiler from dropping what led to the value.
inline void keep(std::size_t value) { asm volatile("" : : "r"(value)); }

}  // namespace rocelab::perf
