// The results writer: same records, same bytes; the schema is the documented one; whatever has the final name is whole.
#include "sim/report/results.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "sim/report/schema.h"
#include "tests/sim/report/made_up_run.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace rocelab::sim {

namespace {

using test::content_of;
using test::ScratchFolder;

std::int64_t number(Database& database, const std::string& sql) {
  auto statement = database.prepare(sql);
  REQUIRE(statement);
  REQUIRE(statement->next());
  return statement->integer(0);
}

/// table -> its columns as "name type", from the document: `### table`, then rows `| column | type | meaning |`.
std::map<std::string, std::vector<std::string>> documented_tables() {
  const char* root = std::getenv("ROCELAB_SOURCE_ROOT");
  REQUIRE(root != nullptr);
  std::istringstream document(content_of(std::string(root) + "/docs/results.md"));
  std::map<std::string, std::vector<std::string>> tables;
  std::string line, table;
  while (std::getline(document, line)) {
    if (line.starts_with("#")) table = line.starts_with("### ") ? line.substr(4) : "";
    if (table.empty() || !line.starts_with("| ") || line.starts_with("| ---") || line.starts_with("| column")) continue;
    const auto second = line.find('|', 2);
    const auto third = line.find('|', second + 1);
    const auto trim = [](std::string text) {
      while (!text.empty() && text.back() == ' ') text.pop_back();
      while (!text.empty() && text.front() == ' ') text.erase(0, 1);
      return text;
    };
    tables[table].push_back(trim(line.substr(2, second - 2)) + " " + trim(line.substr(second + 1, third - second - 1)));
  }
  return tables;
}

std::string write_and_read(const ScratchFolder& folder, const MadeUpRun& run) {
  REQUIRE(write_made_up_run(folder.file("r.db"), run) == "");
  return content_of(folder.file("r.db"));
}

}  // namespace

TEST_CASE("results: the same records give the same bytes, others others", "[sim][report]") {
  const ScratchFolder folder, other;
  const std::string first = write_and_read(folder, {});
  CHECK(first == write_and_read(other, {}));
  CHECK(first == write_and_read(folder, {}));  // replacing an older file
  CHECK(first != write_and_read(other, {.seed = 2}));
}

TEST_CASE("results: what the run cost is beside the database and not in it", "[sim][report]") {
  const ScratchFolder folder;
  write_and_read(folder, {.seed = 7});
  CHECK(folder.files() == 2);
  const std::string timing = content_of(ResultsWriter::timing_path(folder.file("r.db")));
  CHECK(timing.find("\"wall_s\": 0.000000007,") != std::string::npos);
  CHECK(timing.find("\"cpu_s\": 1.500000000,") != std::string::npos);
  CHECK(timing.find("\"threads\": 2") != std::string::npos);
}

TEST_CASE("results: the schema that is documented is the schema that is created", "[sim][report]") {
  const ScratchFolder folder;
  write_and_read(folder, {});
  auto database = open_results(folder.file("r.db"));
  REQUIRE(database);
  std::map<std::string, std::vector<std::string>> created;
  auto tables = database->prepare("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')");
  REQUIRE(tables);
  while (tables->next()) {
    auto columns = database->prepare("SELECT name || ' ' || type FROM pragma_table_info(?)");
    REQUIRE(columns);
    const std::string table(tables->text(0));
    columns->bind(1, std::string_view(table));
    while (columns->next()) created[table].emplace_back(columns->text(0));
  }
  // A view's column has the type of what it is computed from.
  created["flow_time"] = {"id INTEGER", "fct_ps ", "slowdown "};
  CHECK(documented_tables() == created);
  CHECK(created.size() == kTables.size() + 1);
  const std::string document = content_of(std::string(std::getenv("ROCELAB_SOURCE_ROOT")) + "/docs/results.md");
  CHECK(document.find("is the version of the schema: " + std::to_string(kSchemaVersion) + ".") != std::string::npos);
}

TEST_CASE("results: every record is stored, and flow_time computes from flows", "[sim][report]") {
  const ScratchFolder folder;
  write_and_read(folder, {.flows = 200, .status = RunStatus::kInterrupted});
  auto database = open_results(folder.file("r.db"));
  REQUIRE(database);
  CHECK(number(*database, "SELECT count(*) FROM node") == 22);
  CHECK(number(*database, "SELECT count(*) FROM link") == 24);
  CHECK(number(*database, "SELECT count(*) FROM flow") == 200);
  CHECK(number(*database, "SELECT count(*) FROM flow WHERE finish_ps IS NULL") == 2);
  CHECK(number(*database, "SELECT count(*) FROM flow_time") == 198);
  CHECK(number(*database, "SELECT count(*) FROM flow_time WHERE slowdown < 1") == 0);
  CHECK(number(*database, "SELECT count(*) FROM span") == 16 * 12);
  CHECK(number(*database, "SELECT count(*) FROM link_sample") == 50 * 24 * 2);
  CHECK(number(*database, "SELECT count(*) FROM queue_sample") == 50 * 16);
  CHECK(number(*database, "SELECT count(*) FROM pause_sample") == 50 * 4);
  CHECK(number(*database, "SELECT count(*) FROM counter WHERE node IS NULL") == 1);
  CHECK(number(*database, "SELECT count(*) FROM finding WHERE severity = 'warning'") == 1);
  CHECK(number(*database, "SELECT count(*) FROM run WHERE status = 'interrupted'") == 1);
  CHECK(number(*database, "SELECT count(*) FROM setting") == 2);
}

TEST_CASE("results: a writer that goes before finish() leaves nothing, and an older file stays", "[sim][report]") {
  const ScratchFolder folder;
  const std::string before = write_and_read(folder, {});
  {
    auto writer = ResultsWriter::open(folder.file("r.db"), RunInfo{});
    REQUIRE(writer);
    writer->node({.id = 1, .name = "host1"});
    CHECK(folder.files() == 3);
  }
  CHECK(folder.files() == 2);
  CHECK(content_of(folder.file("r.db")) == before);
}

TEST_CASE("results: a path that cannot be written is refused before the run, with the path", "[sim][report]") {
  const ScratchFolder folder;
  const auto refusal = [](const std::string& path) {
    const auto writer = ResultsWriter::open(path, RunInfo{});
    REQUIRE_FALSE(writer);
    return writer.error();
  };
  const std::string missing = folder.file("none/r.db");
  CHECK(refusal(missing) == "cannot write the results " + missing + ": No such file or directory");
  CHECK(refusal(folder.path().string()) == "cannot write the results " + folder.path().string() + ": is a folder");
  CHECK(refusal("/dev/full") == "cannot write the results /dev/full: is there and is no ordinary file");
  CHECK(refusal("") == "cannot write the results : it names no file");
  CHECK(folder.files() == 0);
}

TEST_CASE("results: the same id twice is an error that says which record", "[sim][report]") {
  const ScratchFolder folder;
  auto writer = ResultsWriter::open(folder.file("r.db"), RunInfo{});
  REQUIRE(writer);
  writer->node({.id = 1, .name = "host1"});
  CHECK(writer->ok());
  writer->node({.id = 1, .name = "host1"});
  CHECK_FALSE(writer->ok());
  CHECK(writer->error().find("UNIQUE constraint failed: node.id (while storing a node)") != std::string::npos);
  CHECK_FALSE(writer->finish({}, {}));
  CHECK(folder.files() == 0);
}

TEST_CASE("results: a file that may not grow ends the writing and leaves nothing", "[sim][report]") {
  const ScratchFolder folder;
  rlimit old{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &old) == 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit low = old;
  low.rlim_cur = 200'000;
  REQUIRE(setrlimit(RLIMIT_FSIZE, &low) == 0);
  const std::string error = write_made_up_run(folder.file("r.db"), {.flows = 100'000});
  REQUIRE(setrlimit(RLIMIT_FSIZE, &old) == 0);
  std::signal(SIGXFSZ, old_handler);
  CAPTURE(error);
  CHECK(error.starts_with("cannot write the results " + folder.file("r.db") + ": "));
  CHECK(folder.files() == 0);
}

TEST_CASE("results: a full disk ends the writing with a sentence and leaves nothing", "[sim][report]") {
  const ScratchFolder folder;
  int channel[2];
  REQUIRE(pipe2(channel, O_CLOEXEC) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    // A file system of 256 KiB in a namespace of the child's own.
    std::string said = "SKIP: no mount namespace here";
    const bool apart = unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
    if (apart && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
        mount("none", folder.path().c_str(), "tmpfs", 0, "size=256k") == 0) {
      said = write_made_up_run(folder.file("r.db"), {.flows = 100'000});
      said += "|" + std::to_string(folder.files());
    }
    const ssize_t written = write(channel[1], said.data(), said.size());
    _exit(written == static_cast<ssize_t>(said.size()) ? 0 : 1);
  }
  close(channel[1]);
  std::string said(4096, '\0');
  const ssize_t length = read(channel[0], said.data(), said.size());
  close(channel[0]);
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(length >= 0);
  said.resize(static_cast<std::size_t>(length));
  if (said.starts_with("SKIP")) {
    WARN(said);
    return;
  }
  CAPTURE(said);
  CHECK(said.find("cannot write the results") == 0);
  CHECK(said.find("full") != std::string::npos);
  CHECK(said.ends_with("|0"));
}

TEST_CASE("results: CSV has a file a table, with quoted text and the computed times of flows", "[sim][report]") {
  const ScratchFolder folder;
  write_and_read(folder, {.flows = 100});
  REQUIRE(write_csv(folder.file("r.db"), folder.file("csv")));
  const std::string flows = content_of(folder.file("csv/flow.csv"));
  CHECK(
      flows.starts_with("id,source,destination,bytes,start_ps,finish_ps,ideal_ps,retransmitted_packets,priority,"
                        "status,tag,fct_ps,slowdown\n0,"));
  CHECK(std::count(flows.begin(), flows.end(), '\n') == 101);
  CHECK(flows.find(",unfinished,incast,,\n") != std::string::npos);  // no finish: empty cells
  const std::string findings = content_of(folder.file("csv/finding.csv"));
  CHECK(findings.find(",\"host0 paused its link for more than half of 100 us, \"\"and\"\" <that> is, well, much\"\n") !=
        std::string::npos);
  for (const std::string_view table : kTables) {
    CHECK_FALSE(content_of(folder.file("csv/" + std::string(table) + ".csv")).empty());
  }
  const auto refused = write_csv(folder.file("r.db"), folder.file("none/csv"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error() == "cannot make the folder " + folder.file("none/csv") + ": No such file or directory");
}

TEST_CASE("results: files of others, old and damaged ones are refused with a sentence", "[sim][report]") {
  const ScratchFolder folder;
  const auto refusal = [&folder](const std::string& name) {
    const auto database = open_results(folder.file(name));
    REQUIRE_FALSE(database);
    REQUIRE(database.error().starts_with(folder.file(name) + ": "));
    return database.error().substr(folder.file(name).size() + 2);
  };
  const auto put = [&folder](const std::string& name, const std::string& content) {
    std::ofstream(folder.file(name), std::ios::binary) << content;
  };
  CHECK(refusal("none.db") == "No such file or directory");
  CHECK(refusal("") == "is a folder, not a results file");
  put("empty.db", "");
  CHECK(refusal("empty.db") == "is empty: not a results file");
  put("text.db", "hello, I am a scenario, not a database of results, and I am longer than a header of SQLite's\n");
  CHECK(refusal("text.db") == "file is not a database");

  auto other = Database::open_to_write(folder.file("other.db"));
  REQUIRE(other);
  REQUIRE(other->execute("CREATE TABLE run(x)"));
  REQUIRE(other->close());
  CHECK(refusal("other.db") == "it is an SQLite database, but not one of `rocelab sim`, or of a run that never ended");

  const std::string good = write_and_read(folder, {});
  auto newer = Database::open_to_write(folder.file("r.db"));
  REQUIRE(newer);
  REQUIRE(newer->execute("PRAGMA user_version = 77"));
  REQUIRE(newer->close());
  CHECK(refusal("r.db") == "its schema is version 77, this rocelab reads version 1: run the scenario again");

  put("cut.db", good.substr(0, good.size() / 2));
  CHECK(refusal("cut.db").find("malformed") != std::string::npos);
  std::string scratched = good;
  for (std::size_t i = good.size() / 2; i < good.size() / 2 + 8192; ++i) scratched[i] = '\x5a';
  put("scratched.db", scratched);
  CHECK(refusal("scratched.db").starts_with("damaged: "));
}

TEST_CASE("results: a path with URI's letters names the file it says", "[sim][report]") {
  const ScratchFolder folder;
  const std::string odd = folder.file("a?b#c%20 d.db");
  REQUIRE(write_made_up_run(odd, {}) == "");
  CHECK(open_results(odd));
}

}  // namespace rocelab::sim
