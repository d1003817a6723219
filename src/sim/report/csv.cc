// CSV export: every table of a results file as FOLDER/TABLE.csv (results.h). Commas between cells, one header line,
// quotes where a cell needs them (RFC 4180); an absent value is an empty cell.
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "sim/report/database.h"
#include "sim/report/partial_file.h"
#include "sim/report/results.h"
#include "sim/report/schema.h"

namespace rocelab::sim {

namespace {

using base::fail_text;
using base::TextResult;

void append_cell(std::string& line, std::string_view cell) {
  if (cell.find_first_of(",\"\r\n") == std::string_view::npos) {
    line += cell;
    return;
  }
  line += '"';
  for (const char c : cell) {
    if (c == '"') line += '"';
    line += c;
  }
  line += '"';
}

/// The flow table comes with the times computed from it.
std::string query_of(std::string_view table) {
  if (table == "flow") {
    return "SELECT flow.*, fct_ps, slowdown FROM flow LEFT JOIN flow_time USING (id) ORDER BY flow.id";
  }
  return fmt::format("SELECT * FROM {}", table);
}

TextResult<void> write_table(Database& database, std::string_view table, const std::string& path) {
  auto rows = database.prepare(query_of(table));
  if (!rows) return fail_text(rows.error());
  auto file = PartialFile::make(path);
  if (!file) return fail_text(file.error());
  std::FILE* stream = std::fopen(file->path().c_str(), "we");
  if (stream == nullptr) return fail_text(std::strerror(errno));

  std::string line;
  for (int i = 0; i < rows->columns(); ++i) {
    if (i != 0) line += ',';
    line += rows->name(i);
  }
  bool good = true;
  do {
    line += '\n';
    good = std::fwrite(line.data(), 1, line.size(), stream) == line.size();
    line.clear();
    if (!good || !rows->next()) break;
    for (int i = 0; i < rows->columns(); ++i) {
      if (i != 0) line += ',';
      append_cell(line, rows->text(i));
    }
  } while (true);
  const int write_code = errno;
  const bool closed = std::fclose(stream) == 0;
  if (!good || !closed) return fail_text(std::strerror(good ? errno : write_code));
  if (const std::string error = database.error(); !error.empty()) return fail_text(error);
  return file->commit();
}

}  // namespace

TextResult<void> write_csv(const std::string& results_path, const std::string& folder) {
  auto database = open_results(results_path);
  if (!database) return fail_text(database.error());
  if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) {
    return fail_text(fmt::format("cannot make the folder {}: {}", folder, std::strerror(errno)));
  }
  for (const std::string_view table : kTables) {
    const std::string path = fmt::format("{}/{}.csv", folder, table);
    if (const auto written = write_table(*database, table, path); !written) {
      return fail_text(fmt::format("cannot write {}: {}", path, written.error()));
    }
  }
  return {};
}

}  // namespace rocelab::sim
