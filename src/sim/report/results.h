// The results of a run as one SQLite file (docs/results.md has the schema). The experiment of src/sim/workload owns the
// writer and hands it records; the same records in the same order give the same bytes.
//
// The file is written under a temporary name in the folder of the final one, and renamed by finish(): whatever has the
// final name is whole. A writer that is destroyed before finish() leaves nothing behind. An error (full disk) sticks:
// later records are ignored, ok() turns false, finish() says what went wrong. One thread at a time.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "sim/report/records.h"

namespace rocelab::sim {

class ResultsWriter {
 public:
  /// Makes the temporary file beside `path` and stores `info`. Fails with a sentence that names the path.
  static base::TextResult<ResultsWriter> open(const std::string& path, const RunInfo& info);

  ResultsWriter(ResultsWriter&& other) noexcept;
  ResultsWriter& operator=(ResultsWriter&& other) noexcept;
  ~ResultsWriter();

  // The fabric, once, before the records that refer to it.
  void node(const NodeRecord& record);
  void link(const LinkRecord& record);

  // In an order that depends on the scenario and the seed alone: by time, or node after node.
  void flow(const FlowRecord& record);
  void span(const SpanRecord& record);
  void queue_sample(const QueueSample& record);
  void pause_sample(const PauseSample& record);
  void link_sample(const LinkSample& record);
  void counter(const CounterRecord& record);
  void finding(const FindingRecord& record);

  /// False after a write went wrong: a long run should end early.
  bool ok() const;
  /// The sentence for people; empty while ok().
  const std::string& error() const;

  /// Stores how the run ended, makes the file safe on the disk and gives it its name (an older file of that name is
  /// replaced). Writes `cost` to timing_path(path). Nothing may be called afterwards.
  base::TextResult<void> finish(const RunSummary& end, const RunCost& cost);

  /// PATH.timing: what the run cost on this machine, as JSON. Apart, because it differs from run to run.
  static std::string timing_path(const std::string& path);

 private:
  struct State;
  explicit ResultsWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Writes every table of a finished results file to FOLDER/TABLE.csv, with a header line. The folder is made if need
/// be.
base::TextResult<void> write_csv(const std::string& results_path, const std::string& folder);

}  // namespace rocelab::sim
