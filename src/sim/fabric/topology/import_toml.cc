// Our own topology files, TOML; see importers.h and docs/topology.md. Every message names file, line and key.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <sstream>

#include "base/toml.h"
#include "sim/fabric/topology/builder.h"
#include "sim/fabric/topology/importers.h"
#include "sim/fabric/topology/text.h"

namespace rocelab::sim {

namespace {

using Checked = base::TextResult<void>;
constexpr std::uint32_t kParallelMax = 64;
constexpr std::int64_t kPlaceMax = 1'000'000'000;

std::uint32_t line_of(const toml::node& node) { return static_cast<std::uint32_t>(node.source().begin.line); }

std::string written(const toml::node& node) {
  std::ostringstream out;
  out << toml::toml_formatter(node, toml::toml_formatter::default_flags & ~toml::format_flags::allow_literal_strings);
  return shown(out.str());
}

class TomlImporter {
 public:
  TomlImporter(std::string_view file) : file_(file) {}

  base::TextResult<Topology> import(std::string_view text) {
    if (const auto line = base::line_beyond_toml(text)) {
      return base::fail_text(fmt::format("{}:{}: {}", file_, *line, base::kBeyondToml));
    }
    const toml::parse_result parsed = toml::parse(text, std::string(file_));
    if (!parsed) {
      return base::fail_text(
          fmt::format("{}:{}: {}", file_, parsed.error().source().begin.line, parsed.error().description()));
    }
    if (auto good = tables(parsed.table()); !good) return base::fail_text(good.error());
    if (!tiers_given_) derive_tiers(topology_);
    auto valid = validate(topology_);
    if (!valid) return base::fail_text(fmt::format("{}: key `{}`: {}", file_, valid.error().key, valid.error().what));
    if (!placed_) place_by_tier(topology_);
    return std::move(topology_);
  }

 private:
  template <class... Parts>
  tl::unexpected<std::string> fail(const toml::node& node, std::string_view key, fmt::format_string<Parts...> format,
                                   Parts&&... parts) const {
    return base::fail_text(fmt::format("{}:{}: key `{}`: {}", file_, line_of(node), key,
                                       fmt::format(format, std::forward<Parts>(parts)...)));
  }

  Checked tables(const toml::table& root) {
    topology_.kind = "file";
    if (auto good = known_keys(root, {"defaults", "hosts", "switches", "links"}); !good) return good;
    if (const toml::node* defaults = root.get("defaults")) {
      if (!defaults->is_table()) return fail(*defaults, "defaults", "expected a table");
      if (auto good = known_keys(*defaults->as_table(), {"rate", "delay"}); !good) return good;
      if (auto good = link_values(*defaults->as_table(), defaults_); !good) return good;
    }
    const auto each = [&](std::string_view key, Checked (TomlImporter::*one)(const toml::table&)) -> Checked {
      const toml::node* node = root.get(key);
      if (node == nullptr) return base::fail_text(fmt::format("{}: key `{}`: missing", file_, key));
      if (!node->is_array()) return fail(*node, key, "expected [[{}]] tables", key);
      for (const toml::node& entry : *node->as_array()) {
        if (!entry.is_table()) return fail(entry, key, "expected a table");
        if (auto good = (this->*one)(*entry.as_table()); !good) return good;
      }
      return {};
    };
    if (auto good = each("hosts", &TomlImporter::host); !good) return good;
    topology_.host_count = topology_.node_count();
    if (auto good = each("switches", &TomlImporter::one_switch); !good) return good;
    next_port_.assign(topology_.nodes.size(), 0);
    return each("links", &TomlImporter::link);
  }

  Checked known_keys(const toml::table& table, std::initializer_list<std::string_view> known) const {
    for (const auto& [key, node] : table) {
      if (std::find(known.begin(), known.end(), key.str()) != known.end()) continue;
      return base::fail_text(fmt::format("{}:{}: unknown key {}: expected one of {}", file_, key.source().begin.line,
                                         shown(key.str()), fmt::join(known, ", ")));
    }
    return {};
  }

  Checked whole(const toml::table& table, std::string_view key, std::int64_t least, std::int64_t most,
                std::int64_t& value) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) return {};
    const auto number = node->value_exact<std::int64_t>();
    if (!number || *number < least || *number > most) {
      return fail(*node, key, "{}: expected a whole number from {} to {}", written(*node), least, most);
    }
    value = *number;
    return {};
  }

  Checked name(const toml::table& table, TopologyNode& into) {
    const toml::node* node = table.get("name");
    if (node == nullptr) return fail(table, "name", "missing");
    const auto text = node->value_exact<std::string>();
    if (!text || text->empty()) return fail(*node, "name", "{}: expected a name", written(*node));
    // A name of digits would be taken for a number where nodes are looked up.
    if (parse_number(*text)) return fail(*node, "name", "{}: a name is not a number", written(*node));
    if (!by_name_.emplace(*text, topology_.node_count()).second)
      return fail(*node, "name", "{}: used twice", written(*node));
    into.name = *text;
    return {};
  }

  Checked place(const toml::table& table, TopologyNode& node) {
    std::int64_t group = 0;
    std::int64_t x = 0;
    std::int64_t y = 0;
    for (auto good : {whole(table, "group", 0, std::numeric_limits<std::int32_t>::max(), group),
                      whole(table, "x", -kPlaceMax, kPlaceMax, x), whole(table, "y", -kPlaceMax, kPlaceMax, y)}) {
      if (!good) return good;
    }
    node.group = static_cast<std::uint32_t>(group);
    node.x = static_cast<std::int32_t>(x);
    node.y = static_cast<std::int32_t>(y);
    placed_ = placed_ || table.contains("x") || table.contains("y");
    return {};
  }

  Checked host(const toml::table& table) {
    TopologyNode node;
    for (auto good : {known_keys(table, {"name", "group", "x", "y"}), name(table, node), place(table, node)}) {
      if (!good) return good;
    }
    topology_.nodes.push_back(std::move(node));
    return {};
  }

  Checked one_switch(const toml::table& table) {
    TopologyNode node;
    std::int64_t tier = 1;
    for (auto good : {known_keys(table, {"name", "tier", "group", "latency", "x", "y"}), name(table, node),
                      place(table, node), whole(table, "tier", 1, 100, tier)}) {
      if (!good) return good;
    }
    node.tier = static_cast<std::uint8_t>(tier);
    tiers_given_ = tiers_given_ || table.contains("tier");
    if (const toml::node* latency = table.get("latency")) {
      const auto text = latency->value_exact<std::string>();
      const auto time = text ? parse_duration(*text) : std::nullopt;
      if (!time || *time > kDelayMax)
        return fail(*latency, "latency", "{}: expected a time such as \"500ns\"", written(*latency));
      node.latency = *time;
    }
    topology_.nodes.push_back(std::move(node));
    return {};
  }

  Checked link_values(const toml::table& table, LinkSpec& spec) const {
    if (const toml::node* node = table.get("rate")) {
      const auto text = node->value_exact<std::string>();
      const auto rate = text ? parse_rate(*text) : std::nullopt;
      if (!rate || *rate == 0 || *rate > kRateMaxBps) {
        return fail(*node, "rate", "{}: expected a rate above 0 such as \"100Gbps\"", written(*node));
      }
      spec.rate_bps = *rate;
    }
    if (const toml::node* node = table.get("delay")) {
      const auto text = node->value_exact<std::string>();
      const auto delay = text ? parse_duration(*text) : std::nullopt;
      if (!delay || *delay <= base::Duration() || *delay > kDelayMax) {
        return fail(*node, "delay", "{}: expected a time above 0 such as \"1us\", at most \"1s\"", written(*node));
      }
      spec.delay = *delay;
    }
    if (auto good = share(table, "loss", 1e9, spec.packet_loss_e9); !good) return good;
    return share(table, "bit_error_rate", 1e18, spec.bit_error_e18);
  }

  Checked share(const toml::table& table, std::string_view key, double scale, std::uint64_t& value) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) return {};
    const auto number = node->is_number() ? node->value<double>() : std::nullopt;
    if (!number || !(*number >= 0) || *number > 1) {
      return fail(*node, key, "{}: expected a share from 0 to 1", written(*node));
    }
    value = static_cast<std::uint64_t>(std::llround(*number * scale));
    return {};
  }

  Checked link(const toml::table& table) {
    LinkSpec spec = defaults_;
    std::int64_t count = 1;
    for (auto good : {known_keys(table, {"between", "rate", "delay", "loss", "bit_error_rate", "count"}),
                      link_values(table, spec), whole(table, "count", 1, kParallelMax, count)}) {
      if (!good) return good;
    }
    const toml::node* between = table.get("between");
    if (between == nullptr) return fail(table, "between", "missing: the names of the two nodes");
    const toml::array* names = between->as_array();
    if (names == nullptr || names->size() != 2) return fail(*between, "between", "expected the names of two nodes");
    std::uint32_t ends[2] = {0, 0};
    for (std::size_t i = 0; i < 2; ++i) {
      const auto text = names->get(i)->value_exact<std::string>();
      const auto found = text ? by_name_.find(*text) : by_name_.end();
      if (found == by_name_.end())
        return fail(*names->get(i), "between", "{}: there is no such node", written(*names->get(i)));
      ends[i] = found->second;
    }
    if (ends[0] == ends[1]) return fail(*between, "between", "{} is linked to itself", topology_.nodes[ends[0]].name);
    const auto [low, high] = std::minmax(ends[0], ends[1]);
    const auto [first, added] = pairs_.emplace(std::pair(low, high), line_of(table));
    if (!added) {
      return fail(*between, "between", "{} and {} are linked on line {} already: use `count` for parallel links",
                  topology_.nodes[ends[0]].name, topology_.nodes[ends[1]].name, first->second);
    }
    TopologyLink made;
    made.a = ends[0];
    made.b = ends[1];
    made.rate_bps = spec.rate_bps;
    made.delay = spec.delay;
    made.packet_loss_e9 = spec.packet_loss_e9;
    made.bit_error_e18 = spec.bit_error_e18;
    for (std::int64_t i = 0; i < count; ++i) {
      if (next_port_[made.a] >= kPortsMax || next_port_[made.b] >= kPortsMax) {
        return fail(*between, "between", "more than {} links at one node", kPortsMax);
      }
      add_link(topology_, next_port_, made);
    }
    return {};
  }

  std::string_view file_;
  Topology topology_;
  LinkSpec defaults_;
  std::vector<std::uint16_t> next_port_;
  std::map<std::string, std::uint32_t, std::less<>> by_name_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> pairs_;  ///< linked nodes -> line
  bool tiers_given_ = false;
  bool placed_ = false;
};

}  // namespace

base::TextResult<Topology> import_toml(std::string_view text, std::string_view file) {
  return TomlImporter(file).import(text);
}

}  // namespace rocelab::sim
