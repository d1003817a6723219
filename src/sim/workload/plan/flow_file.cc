// See flow_file.h.
#include "sim/workload/plan/flow_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "sim/workload/quantities.h"

namespace rocelab::sim {

namespace {

constexpr std::string_view kBlank = " \t\r";
constexpr unsigned kPriorities = 8;

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

/// Hands out lines without comments and blank ones, with their numbers.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  std::optional<std::string_view> next() {
    while (!rest_.empty()) {
      const std::size_t newline = rest_.find('\n');
      const std::string_view raw = rest_.substr(0, newline);
      rest_.remove_prefix(newline == std::string_view::npos ? rest_.size() : newline + 1);
      ++number_;
      const std::string_view line = trimmed(raw.substr(0, raw.find('#')));
      if (!line.empty()) return line;
    }
    return std::nullopt;
  }
  std::size_t number() const { return std::max<std::size_t>(number_, 1); }

 private:
  std::string_view rest_;
  std::size_t number_ = 0;
};

std::vector<std::string_view> split(std::string_view line, char separator) {
  std::vector<std::string_view> out;
  while (true) {
    const std::size_t at = line.find(separator);
    out.push_back(trimmed(line.substr(0, at)));
    if (at == std::string_view::npos) return out;
    line.remove_prefix(at + 1);
  }
}

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> out;
  while (!(line = trimmed(line)).empty()) {
    const std::size_t end = line.find_first_of(kBlank);
    out.push_back(line.substr(0, end));
    if (end == std::string_view::npos) break;
    line.remove_prefix(end);
  }
  return out;
}

base::TextResult<std::uint32_t> host(std::string_view text, const NodeNames& names, std::uint32_t host_count) {
  const auto node = names.find(text);
  if (!node) return base::fail_text(fmt::format("there is no host `{}`", text));
  if (*node >= host_count) return base::fail_text(fmt::format("`{}` is a switch, not a host", text));
  return *node;
}

/// What both formats check about a flow.
base::TextResult<void> set_ends(ListedFlow& flow, std::string_view source, std::string_view destination,
                                const NodeNames& names, std::uint32_t host_count) {
  const auto from = host(source, names, host_count);
  if (!from) return base::fail_text(from.error());
  const auto to = host(destination, names, host_count);
  if (!to) return base::fail_text(to.error());
  if (*from == *to) return base::fail_text(fmt::format("host `{}` sends to itself", source));
  flow.source = *from;
  flow.destination = *to;
  return {};
}

enum Column : std::size_t { kSource, kDestination, kBytes, kStart, kPriority, kColumns };
constexpr std::array<std::string_view, kColumns> kColumnNames = {"source", "destination", "bytes", "start", "priority"};

base::TextResult<ListedFlow> parse_row(const std::vector<std::string_view>& cells,
                                       const std::array<std::optional<std::size_t>, kColumns>& columns,
                                       const NodeNames& names, std::uint32_t host_count) {
  ListedFlow flow;
  const auto ends = set_ends(flow, cells[*columns[kSource]], cells[*columns[kDestination]], names, host_count);
  if (!ends) return base::fail_text(ends.error());
  const auto bytes = parse_bytes(cells[*columns[kBytes]]);
  if (!bytes) return base::fail_text(fmt::format("column `bytes`: {}", bytes.error()));
  if (*bytes == 0) return base::fail_text("column `bytes`: must not be zero");
  const auto start = parse_time_ps(cells[*columns[kStart]]);
  if (!start) return base::fail_text(fmt::format("column `start`: {}", start.error()));
  flow.bytes = *bytes;
  flow.start_ps = *start;
  if (columns[kPriority] && !cells[*columns[kPriority]].empty()) {
    const auto priority = parse_decimal(cells[*columns[kPriority]], 0);
    if (!priority || *priority >= kPriorities) {
      return base::fail_text(
          fmt::format("column `priority`: `{}` is not one of 0 to {}", cells[*columns[kPriority]], kPriorities - 1));
    }
    flow.priority = static_cast<int>(*priority);
  }
  return flow;
}

}  // namespace

base::TextResult<std::vector<ListedFlow>> parse_flow_csv(std::string_view text, const std::string& file,
                                                         const NodeNames& names, std::uint32_t host_count) {
  Lines lines(text);
  const auto failed = [&](std::string_view what) {
    return base::fail_text(fmt::format("{}:{}: {}", file, lines.number(), what));
  };
  const auto header = lines.next();
  if (!header) return failed("the file is empty: a header line \"source,destination,bytes,start\" is expected");
  std::array<std::optional<std::size_t>, kColumns> columns;
  const std::vector<std::string_view> titles = split(*header, ',');
  for (std::size_t i = 0; i < titles.size(); ++i) {
    const auto* const known = std::find(kColumnNames.begin(), kColumnNames.end(), titles[i]);
    if (known == kColumnNames.end()) {
      return failed(fmt::format("column `{}` is none of source, destination, bytes, start, priority", titles[i]));
    }
    auto& column = columns[static_cast<std::size_t>(known - kColumnNames.begin())];
    if (column) return failed(fmt::format("column `{}` is there twice", titles[i]));
    column = i;
  }
  for (std::size_t i = 0; i < kPriority; ++i) {
    if (!columns[i]) return failed(fmt::format("column `{}` is missing", kColumnNames[i]));
  }
  std::vector<ListedFlow> flows;
  while (const auto line = lines.next()) {
    const std::vector<std::string_view> cells = split(*line, ',');
    if (cells.size() != titles.size()) {
      return failed(fmt::format("{} values, the header has {} columns", cells.size(), titles.size()));
    }
    const auto flow = parse_row(cells, columns, names, host_count);
    if (!flow) return failed(flow.error());
    flows.push_back(*flow);
  }
  return flows;
}

base::TextResult<std::vector<ListedFlow>> parse_hpcc_flows(std::string_view text, const std::string& file,
                                                           const NodeNames& names, std::uint32_t host_count,
                                                           bool keep_priority) {
  Lines lines(text);
  const auto failed = [&](std::string_view what) {
    return base::fail_text(fmt::format("{}:{}: {}", file, lines.number(), what));
  };
  const auto header = lines.next();
  if (!header) return failed("the file is empty: the number of flows is expected");
  const auto count = parse_decimal(*header, 0);
  if (!count) return failed(fmt::format("`{}` is not the number of flows", *header));
  std::vector<ListedFlow> flows;
  while (flows.size() < *count) {
    const auto line = lines.next();
    if (!line) return failed(fmt::format("the file ends after {} of {} flows", flows.size(), *count));
    const std::vector<std::string_view> cells = words(*line);
    if (cells.size() != 6) {
      return failed(fmt::format("{} values instead of 6 (source, destination, priority group, port, bytes, start)",
                                cells.size()));
    }
    ListedFlow flow;
    const auto ends = set_ends(flow, cells[0], cells[1], names, host_count);
    if (!ends) return failed(ends.error());
    const auto group = parse_decimal(cells[2], 0);
    if (!group || *group >= kPriorities) return failed(fmt::format("`{}` is not a priority group (0 to 7)", cells[2]));
    const auto bytes = parse_decimal(cells[4], 0);
    if (!bytes) return failed(bytes.error());
    if (*bytes == 0) return failed("the flow has no bytes");
    const auto start = parse_decimal(cells[5], 12);
    if (!start) return failed(start.error());
    flow.bytes = *bytes;
    flow.start_ps = *start;
    if (keep_priority) flow.priority = static_cast<int>(*group);
    flows.push_back(flow);
  }
  if (lines.next()) return failed(fmt::format("more than the {} flows that the first line announces", *count));
  return flows;
}

void add_flows(Plan& plan, std::span<const ListedFlow> flows, std::uint16_t workload, std::uint8_t priority,
               std::int64_t shift_ps) {
  plan.reserve(plan.size() + flows.size() + 1);
  for (const ListedFlow& flow : flows) {
    const std::int64_t start = std::max<std::int64_t>(static_cast<std::int64_t>(flow.start_ps) + shift_ps, 0);
    plan.send(workload, flow.source, flow.destination, flow.bytes, static_cast<std::uint64_t>(start),
              flow.priority < 0 ? priority : static_cast<std::uint8_t>(flow.priority));
  }
}

}  // namespace rocelab::sim
