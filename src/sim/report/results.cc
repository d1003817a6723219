// The results writer: one transaction over prepared statements, into a file that gets its name at the end (results.h).
#include "sim/report/results.h"

#include <fmt/format.h>

#include <utility>

#include "sim/report/database.h"
#include "sim/report/partial_file.h"
#include "sim/report/schema.h"

namespace rocelab::sim {

namespace {

using base::fail_text;
using base::TextResult;

// No journal and no waiting for the disk: a run that dies leaves no file of the final name, and finish() syncs once.
// The page size is named because the bytes must not depend on the library's default.
constexpr const char* kWriterPragmas =
    "PRAGMA page_size = 4096; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;"
    "PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY; PRAGMA encoding = 'UTF-8';";

std::string_view to_text(RunStatus status) {
  switch (status) {
    case RunStatus::kComplete:
      return "complete";
    case RunStatus::kTimeLimit:
      return "time limit";
    case RunStatus::kInterrupted:
      return "interrupted";
    case RunStatus::kFailed:
      break;
  }
  return "failed";
}

std::string_view to_text(Severity severity) {
  switch (severity) {
    case Severity::kNote:
      return "note";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      break;
  }
  return "error";
}

std::uint64_t ps(base::TimePoint at) { return at.count_ps(); }
std::int64_t ps(base::Duration span) { return span.count_ps(); }

std::optional<std::uint64_t> ps(const std::optional<base::TimePoint>& at) {
  if (!at) return std::nullopt;
  return at->count_ps();
}

}  // namespace

struct ResultsWriter::State {
  std::string path;
  RunInfo info;
  std::string error;
  PartialFile file;  // before the database: removed after it is closed
  Database database;
  Statement node, link, flow, span, queue_sample, pause_sample, link_sample, counter, finding;

  bool broken() const { return !error.empty(); }

  void complain(std::string_view what) {
    if (error.empty()) error = fmt::format("cannot write the results {}: {}", path, what);
  }

  void run(Statement& statement, std::string_view what) {
    if (!statement.run()) complain(fmt::format("{} (while storing a {})", database.error(), what));
  }

  /// "INSERT INTO table VALUES(?,?,...)" for all of the writer's statements.
  TextResult<void> prepare() {
    const auto insert = [this](Statement& statement, std::string_view table, int columns) -> TextResult<void> {
      std::string sql = fmt::format("INSERT INTO {} VALUES(?", table);
      for (int i = 1; i < columns; ++i) sql += ",?";
      auto prepared = database.prepare(sql + ")");
      if (!prepared) return fail_text(prepared.error());
      statement = std::move(*prepared);
      return {};
    };
    return insert(node, "node", 7)
        .and_then([&] { return insert(link, "link", 7); })
        .and_then([&] { return insert(flow, "flow", 11); })
        .and_then([&] { return insert(span, "span", 9); })
        .and_then([&] { return insert(queue_sample, "queue_sample", 6); })
        .and_then([&] { return insert(pause_sample, "pause_sample", 7); })
        .and_then([&] { return insert(link_sample, "link_sample", 5); })
        .and_then([&] { return insert(counter, "counter", 4); })
        .and_then([&] { return insert(finding, "finding", 6); });
  }

  TextResult<void> store_settings() {
    auto statement = database.prepare("INSERT OR REPLACE INTO setting VALUES(?,?)");
    if (!statement) return fail_text(statement.error());
    for (const auto& [key, value] : info.settings) {
      if (!statement->bind(1, std::string_view(key)).bind(2, std::string_view(value)).run()) {
        return fail_text(database.error());
      }
    }
    return {};
  }

  TextResult<void> store_run(const RunSummary& end) {
    auto statement = database.prepare("INSERT INTO run VALUES(?,?,?,?,?,?,?,?,?,?,?)");
    if (!statement) return fail_text(statement.error());
    const std::string seed = std::to_string(info.seed);
    statement->bind(1, std::string_view(info.version)).bind(2, std::string_view(seed));
    statement->bind(3, std::string_view(info.scenario_name)).bind(4, std::string_view(info.scenario_text));
    statement->bind(5, to_text(end.status)).bind(6, std::string_view(end.detail)).bind(7, ps(end.simulated));
    statement->bind(8, end.events).bind(9, end.packets).bind(10, end.packet_hops).bind(11, end.payload_bytes);
    if (!statement->run()) return fail_text(database.error());
    return {};
  }

  void drop_statements() {
    for (Statement* statement :
         {&node, &link, &flow, &span, &queue_sample, &pause_sample, &link_sample, &counter, &finding}) {
      *statement = Statement();
    }
  }
};

ResultsWriter::ResultsWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
ResultsWriter::ResultsWriter(ResultsWriter&& other) noexcept = default;
ResultsWriter& ResultsWriter::operator=(ResultsWriter&& other) noexcept = default;
ResultsWriter::~ResultsWriter() = default;

TextResult<ResultsWriter> ResultsWriter::open(const std::string& path, const RunInfo& info) {
  auto state = std::make_unique<State>();
  state->path = path;
  state->info = info;
  const auto complain = [&state](std::string_view what) {
    state->complain(what);
    return fail_text(state->error);
  };
  auto file = PartialFile::make(path);
  if (!file) return complain(file.error());
  state->file = std::move(*file);
  auto database = Database::open_to_write(state->file.path());
  if (!database) return complain(database.error());
  state->database = std::move(*database);
  const auto ready = state->database.execute(kWriterPragmas)
                         .and_then([&] { return state->database.execute("BEGIN"); })
                         .and_then([&] { return state->database.execute(kSchema); })
                         .and_then([&] { return state->prepare(); })
                         .and_then([&] { return state->store_settings(); });
  if (!ready) return complain(ready.error());
  return ResultsWriter(std::move(state));
}

void ResultsWriter::node(const NodeRecord& record) {
  if (state_->broken()) return;
  Statement& row = state_->node;
  row.bind(1, record.id).bind(2, std::string_view(record.is_switch ? "switch" : "host")).bind(3, record.name);
  row.bind(4, record.tier).bind(5, record.pod).bind(6, record.x).bind(7, record.y);
  state_->run(row, "node");
}

void ResultsWriter::link(const LinkRecord& record) {
  if (state_->broken()) return;
  Statement& row = state_->link;
  row.bind(1, record.id).bind(2, record.a).bind(3, record.a_port).bind(4, record.b).bind(5, record.b_port);
  row.bind(6, record.rate_bps).bind(7, ps(record.delay));
  state_->run(row, "link");
}

void ResultsWriter::flow(const FlowRecord& record) {
  if (state_->broken()) return;
  Statement& row = state_->flow;
  row.bind(1, record.id).bind(2, record.source).bind(3, record.destination).bind(4, record.bytes);
  row.bind(5, ps(record.start)).bind(6, ps(record.finish)).bind(7, ps(record.ideal));
  row.bind(8, record.retransmitted_packets).bind(9, std::uint32_t{record.priority});
  row.bind(10, record.status).bind(11, record.tag);
  state_->run(row, "flow");
}

void ResultsWriter::span(const SpanRecord& record) {
  if (state_->broken()) return;
  Statement& row = state_->span;
  row.bind(1, record.id).bind(2, record.group).bind(3, record.lane).bind(4, record.operation).bind(5, record.label);
  row.bind(6, record.node).bind(7, ps(record.start)).bind(8, ps(record.finish)).bind(9, record.bytes);
  state_->run(row, "span");
}

void ResultsWriter::queue_sample(const QueueSample& record) {
  if (state_->broken()) return;
  Statement& row = state_->queue_sample;
  row.bind(1, ps(record.at)).bind(2, record.node).bind(3, record.port).bind(4, std::uint32_t{record.priority});
  row.bind(5, record.bytes).bind(6, record.bytes_max);
  state_->run(row, "queue sample");
}

void ResultsWriter::pause_sample(const PauseSample& record) {
  if (state_->broken()) return;
  Statement& row = state_->pause_sample;
  row.bind(1, ps(record.start)).bind(2, ps(record.end)).bind(3, record.node).bind(4, record.port);
  row.bind(5, std::uint32_t{record.priority}).bind(6, ps(record.paused)).bind(7, record.frames);
  state_->run(row, "pause sample");
}

void ResultsWriter::link_sample(const LinkSample& record) {
  if (state_->broken()) return;
  Statement& row = state_->link_sample;
  row.bind(1, ps(record.start)).bind(2, ps(record.end)).bind(3, record.link).bind(4, record.from_b ? 1 : 0);
  row.bind(5, record.bytes);
  state_->run(row, "link sample");
}

void ResultsWriter::counter(const CounterRecord& record) {
  if (state_->broken()) return;
  Statement& row = state_->counter;
  row.bind(1, record.node).bind(2, record.port).bind(3, record.name).bind(4, record.value);
  state_->run(row, "counter");
}

void ResultsWriter::finding(const FindingRecord& record) {
  if (state_->broken()) return;
  Statement& row = state_->finding;
  row.bind(1, ps(record.at)).bind(2, to_text(record.severity)).bind(3, record.kind);
  row.bind(4, record.node).bind(5, record.port).bind(6, record.text);
  state_->run(row, "finding");
}

bool ResultsWriter::ok() const { return !state_->broken(); }

const std::string& ResultsWriter::error() const { return state_->error; }

std::string ResultsWriter::timing_path(const std::string& path) { return path + ".timing"; }

TextResult<void> ResultsWriter::finish(const RunSummary& end, const RunCost& cost) {
  const std::unique_ptr<State> state = std::move(state_);
  if (!state->broken()) {
    // Sizes and marks last: until here the file does not say that it is ours.
    const std::string marks =
        fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT", kApplicationId, kSchemaVersion);
    auto good = state->store_run(end).and_then([&] { return state->database.execute(marks); });
    state->drop_statements();
    if (!good) {
      state->complain(good.error());
    } else if (!state->database.close()) {
      state->complain(state->database.error());
    } else if (const auto committed = state->file.commit(); !committed) {
      state->complain(committed.error());
    }
  }
  if (state->broken()) return fail_text(state->error);

  const std::string timing = fmt::format(
      "{{\n  \"started_unix_s\": {},\n  \"wall_s\": {}.{:09},\n  \"cpu_s\": {}.{:09},\n  \"peak_memory_bytes\": {},\n"
      "  \"threads\": {}\n}}\n",
      cost.started_unix_s, cost.wall_ns / 1'000'000'000, cost.wall_ns % 1'000'000'000, cost.cpu_ns / 1'000'000'000,
      cost.cpu_ns % 1'000'000'000, cost.peak_memory_bytes, cost.threads);
  const std::string beside = timing_path(state->path);
  if (const auto written = write_whole_file(beside, timing); !written) {
    return fail_text(fmt::format("the results are complete, but cannot write {}: {}", beside, written.error()));
  }
  return {};
}

}  // namespace rocelab::sim
