// The schema of results files, and the check that a file has it (schema.h). The comments inside the SQL stay in the
// file: `.schema` of the sqlite3 shell shows them.
#include "sim/report/schema.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace rocelab::sim {

const char* const kSchema = R"sql(
CREATE TABLE run(  -- one row
  version TEXT NOT NULL, seed TEXT NOT NULL,
  scenario_name TEXT NOT NULL, scenario TEXT NOT NULL,
  status TEXT NOT NULL CHECK(status IN ('complete', 'time limit', 'interrupted', 'failed')),
  detail TEXT NOT NULL,
  simulated_ps INTEGER NOT NULL, events INTEGER NOT NULL,
  packets INTEGER NOT NULL, packet_hops INTEGER NOT NULL, payload_bytes INTEGER NOT NULL
) STRICT;
CREATE TABLE setting(  -- every parameter in force
  key TEXT PRIMARY KEY, value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE node(
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL CHECK(kind IN ('host', 'switch')), name TEXT NOT NULL,
  tier INTEGER NOT NULL, pod INTEGER NOT NULL, x INTEGER NOT NULL, y INTEGER NOT NULL
) STRICT;
CREATE TABLE link(
  id INTEGER PRIMARY KEY, a INTEGER NOT NULL, a_port INTEGER NOT NULL, b INTEGER NOT NULL, b_port INTEGER NOT NULL,
  rate_bps INTEGER NOT NULL, delay_ps INTEGER NOT NULL
) STRICT;
CREATE TABLE flow(  -- finish_ps IS NULL: not finished
  id INTEGER PRIMARY KEY, source INTEGER NOT NULL, destination INTEGER NOT NULL, bytes INTEGER NOT NULL,
  start_ps INTEGER NOT NULL, finish_ps INTEGER, ideal_ps INTEGER NOT NULL, retransmitted_packets INTEGER,
  priority INTEGER NOT NULL, status TEXT NOT NULL, tag TEXT NOT NULL
) STRICT;
CREATE TABLE span(  -- bars of a timeline
  id INTEGER PRIMARY KEY, timeline TEXT NOT NULL, lane INTEGER NOT NULL, operation TEXT NOT NULL, label TEXT NOT NULL,
  node INTEGER NOT NULL, start_ps INTEGER NOT NULL, finish_ps INTEGER, bytes INTEGER NOT NULL
) STRICT;
CREATE TABLE queue_sample(  -- egress queues
  at_ps INTEGER NOT NULL, node INTEGER NOT NULL, port INTEGER NOT NULL, priority INTEGER NOT NULL,
  bytes INTEGER NOT NULL, bytes_max INTEGER NOT NULL
) STRICT;
CREATE TABLE pause_sample(  -- a port that was not allowed to send
  start_ps INTEGER NOT NULL, end_ps INTEGER NOT NULL, node INTEGER NOT NULL, port INTEGER NOT NULL,
  priority INTEGER NOT NULL, paused_ps INTEGER NOT NULL, frames INTEGER NOT NULL
) STRICT;
CREATE TABLE link_sample(  -- direction 0: a to b, 1: b to a
  start_ps INTEGER NOT NULL, end_ps INTEGER NOT NULL, link INTEGER NOT NULL, direction INTEGER NOT NULL,
  bytes INTEGER NOT NULL
) STRICT;
CREATE TABLE counter(  -- node IS NULL: of the run; port IS NULL: of the node
  node INTEGER, port INTEGER, name TEXT NOT NULL, value INTEGER NOT NULL
) STRICT;
CREATE TABLE finding(
  at_ps INTEGER NOT NULL, severity TEXT NOT NULL CHECK(severity IN ('note', 'warning', 'error')), kind TEXT NOT NULL,
  node INTEGER, port INTEGER, text TEXT NOT NULL
) STRICT;
CREATE VIEW flow_time AS  -- finished flows only
  SELECT id, finish_ps - start_ps AS fct_ps, (finish_ps - start_ps) * 1.0 / ideal_ps AS slowdown
  FROM flow WHERE finish_ps IS NOT NULL AND status = 'ok' AND ideal_ps > 0;
)sql";

namespace {

base::TextResult<std::int64_t> pragma(Database& database, const char* name) {
  auto statement = database.prepare(fmt::format("PRAGMA {}", name));
  if (!statement) return base::fail_text(statement.error());
  if (!statement->next()) return base::fail_text(database.error());
  return statement->integer(0);
}

base::TextResult<void> check(Database& database) {
  const auto application = pragma(database, "application_id");
  if (!application) return base::fail_text(application.error());
  if (*application != kApplicationId) {
    return base::fail_text("it is an SQLite database, but not one of `rocelab sim`, or of a run that never ended");
  }
  const auto version = pragma(database, "user_version");
  if (!version) return base::fail_text(version.error());
  if (*version != kSchemaVersion) {
    return base::fail_text(fmt::format(
        "its schema is version {}, this rocelab reads version {}: run the scenario again", *version, kSchemaVersion));
  }
  for (const std::string_view table : kTables) {
    const auto statement = database.prepare(fmt::format("SELECT * FROM {} LIMIT 0", table));
    if (!statement) return base::fail_text("damaged: " + statement.error());
  }
  auto run = database.prepare("SELECT count(*) FROM run");
  if (!run || !run->next() || run->integer(0) != 1) return base::fail_text("damaged: the table run has not one row");
  // Every page's structure: a file that was cut or overwritten in the middle is not to be drawn as if it were whole.
  auto structure = database.prepare("PRAGMA quick_check(1)");
  if (!structure || !structure->next() || structure->text(0) != "ok") {
    return base::fail_text(fmt::format("damaged: {}", structure ? std::string(structure->text(0)) : structure.error()));
  }
  return {};
}

}  // namespace

base::TextResult<Database> open_results(const std::string& path) {
  const auto complain = [&path](std::string_view what) { return base::fail_text(fmt::format("{}: {}", path, what)); };
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return complain(std::strerror(errno));
  if (S_ISDIR(status.st_mode)) return complain("is a folder, not a results file");
  if (status.st_size == 0) return complain("is empty: not a results file");
  auto database = Database::open_to_read(path);
  if (!database) return complain(database.error());
  if (const auto good = check(*database); !good) return complain(good.error());
  return database;
}

}  // namespace rocelab::sim
