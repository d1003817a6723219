// Puts the page together: the bundle made at build time (web/) with the data in its place (page.h).
#include "sim/report/page.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "sim/report/page_bundle.h"
#include "sim/report/page_data.h"
#include "sim/report/partial_file.h"
#include "sim/report/schema.h"

namespace rocelab::sim {

namespace {

using base::fail_text;
using base::TextResult;
using nlohmann::json;

TextResult<json> read_run(Database& database, const std::string& path, const PageFlows& flows,
                          const std::vector<std::int64_t>& bounds) {
  const auto nodes = PageNodes::read(database);
  if (!nodes) return fail_text(nodes.error());
  json run;
  const auto add = [&run](const char* key, TextResult<json> part) -> TextResult<void> {
    if (!part) return fail_text(part.error());
    run[key] = std::move(*part);
    return {};
  };
  run["flows"] = flows_part(flows, bounds, *nodes);
  const auto good = add("run", run_part(database, path))
                        .and_then([&] { return add("queues", queues_part(database, *nodes)); })
                        .and_then([&] { return add("pauses", pauses_part(database, *nodes)); })
                        .and_then([&] { return add("links", links_part(database, *nodes)); })
                        .and_then([&] { return add("timelines", timelines_part(database, *nodes)); })
                        .and_then([&] { return add("counters", counters_part(database, *nodes)); })
                        .and_then([&] { return add("findings", findings_part(database, *nodes)); });
  if (!good) return fail_text(good.error());
  return run;
}

/// As the content of a <script>: nothing in it may end the element, whatever a scenario's text says.
std::string script_text(const json& data) {
  const std::string text = data.dump(-1, ' ', false, json::error_handler_t::replace);
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

TextResult<void> write_page(const std::vector<std::string>& results, const std::string& output,
                            const std::string& version) {
  std::vector<Database> databases;
  std::vector<PageFlows> flows;
  for (const std::string& path : results) {
    auto database = open_results(path);
    if (!database) return fail_text(database.error());
    databases.push_back(std::move(*database));
    auto read = read_flows(databases.back());
    if (!read) return fail_text(fmt::format("{}: {}", path, read.error()));
    flows.push_back(std::move(*read));
  }
  const std::vector<std::int64_t> bounds = size_bounds(flows);
  json data = {{"version", version}, {"runs", json::array()}};
  for (std::size_t i = 0; i < results.size(); ++i) {
    auto run = read_run(databases[i], results[i], flows[i], bounds);
    if (!run) return fail_text(fmt::format("{}: {}", results[i], run.error()));
    data["runs"].push_back(std::move(*run));
  }

  std::string page;
  page += kPageBeforeData;
  page += script_text(data);
  page += kPageAfterData;
  if (const auto written = write_whole_file(output, page); !written) {
    return fail_text(fmt::format("cannot write {}: {}", output, written.error()));
  }
  return {};
}

}  // namespace rocelab::sim
