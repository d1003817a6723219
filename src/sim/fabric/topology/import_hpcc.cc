// The HPCC simulator's topology files; see importers.h. Words count there, not lines: ids of switches may go over
// several.
#include <fmt/format.h>

#include <algorithm>

#include "sim/fabric/topology/builder.h"
#include "sim/fabric/topology/importers.h"
#include "sim/fabric/topology/text.h"

namespace rocelab::sim {

namespace {

constexpr std::size_t kLinkBytesMin = 10;  ///< "0 1 1bps 1s 0": no file is shorter than that a link

class HpccImporter {
 public:
  HpccImporter(std::string_view text, std::string_view file) : bytes_(text.size()), words_(text, file), file_(file) {}

  base::TextResult<Topology> import() {
    for (const auto step : {&HpccImporter::header, &HpccImporter::switches, &HpccImporter::links}) {
      if (auto good = (this->*step)(); !good) return base::fail_text(good.error());
    }
    if (auto good = rest(); !good) return base::fail_text(good.error());
    derive_tiers(topology_);
    if (auto good = validate(topology_); !good) {
      return base::fail_text(fmt::format("{}: key `{}`: {}", file_, good.error().key, good.error().what));
    }
    place_by_tier(topology_);
    return std::move(topology_);
  }

 private:
  base::TextResult<void> header() {
    const auto nodes = words_.number("nodes", kHostsMax + kSwitchesMax);
    if (!nodes) return base::fail_text(nodes.error());
    const auto switches = words_.number("switches", kSwitchesMax);
    if (!switches) return base::fail_text(switches.error());
    // Nothing is allocated on the word of a header that the rest of the file cannot bear out.
    const auto links = words_.number("links", bytes_ / kLinkBytesMin);
    if (!links) return base::fail_text(links.error());
    if (*switches >= *nodes)
      return words_.fail("switches", fmt::format("{} of {} nodes are switches: no host is left", *switches, *nodes));
    if (*links + 1 < *nodes)
      return words_.fail("links", fmt::format("{} links cannot connect {} nodes", *links, *nodes));
    nodes_ = static_cast<std::uint32_t>(*nodes);
    switches_ = static_cast<std::uint32_t>(*switches);
    links_ = static_cast<std::uint32_t>(*links);
    return {};
  }

  base::TextResult<void> switches() {
    constexpr std::uint32_t kHost = ~0u;
    index_.assign(nodes_, kHost);
    topology_.kind = "hpcc_file";
    topology_.host_count = nodes_ - switches_;
    topology_.nodes.resize(nodes_);
    for (std::uint32_t i = 0; i < switches_; ++i) {
      const auto id = words_.number("switch ids", nodes_ - 1);
      if (!id) return base::fail_text(id.error());
      if (index_[*id] != kHost) return words_.fail("switch ids", fmt::format("{} is listed twice", *id));
      index_[*id] = 0;
    }
    std::uint32_t host = 0;
    std::uint32_t other = topology_.host_count;
    for (std::uint32_t id = 0; id < nodes_; ++id) {
      const bool is_host = index_[id] == kHost;
      index_[id] = is_host ? host++ : other++;
      TopologyNode& node = topology_.nodes[index_[id]];
      node.file_id = id;
      node.name = fmt::format("{}{}", is_host ? "host" : "switch", id);
    }
    return {};
  }

  base::TextResult<void> links() {
    std::vector<std::uint16_t> next_port(nodes_, 0);
    std::vector<std::uint64_t> pairs;
    pairs.reserve(links_);
    for (std::uint32_t i = 0; i < links_; ++i) {
      const auto link = one_link(i);
      if (!link) return base::fail_text(link.error());
      if (next_port[link->a] >= kPortsMax || next_port[link->b] >= kPortsMax) {
        return words_.fail("links", fmt::format("more than {} links at one node", kPortsMax));
      }
      add_link(topology_, next_port, *link);
      const auto [low, high] = std::minmax(link->a, link->b);
      pairs.push_back(std::uint64_t{low} << 32 | high);
    }
    std::sort(pairs.begin(), pairs.end());
    if (const auto twice = std::adjacent_find(pairs.begin(), pairs.end()); twice != pairs.end()) {
      return words_.fail("links", fmt::format("nodes {} and {} are linked twice", topology_.nodes[*twice >> 32].file_id,
                                              topology_.nodes[*twice & 0xffff'ffffu].file_id));
    }
    return {};
  }

  /// Notes may follow the links, and do in files of this kind; a line that reads as one more link is a wrong count.
  base::TextResult<void> rest() {
    const auto a = words_.next();
    const auto b = a ? words_.next() : std::nullopt;
    const auto rate = b ? words_.next() : std::nullopt;
    if (!rate || !parse_number(*a) || !parse_number(*b) || !parse_rate(*rate)) return {};
    return words_.fail("links", fmt::format("one more link after the {} announced", links_));
  }

  base::TextResult<TopologyLink> one_link(std::uint32_t number) {
    const auto ends_here = [&](std::string_view key) {
      return words_.fail(key,
                         fmt::format("missing: {} links announced, the file ends in number {}", links_, number + 1));
    };
    TopologyLink link;
    for (std::uint32_t* end : {&link.a, &link.b}) {
      const auto word = words_.next();
      if (!word) return ends_here("links");
      const auto id = parse_number(*word);
      if (!id || *id >= nodes_) {
        return words_.fail("links", fmt::format("{}: expected a node from 0 to {}", shown(*word), nodes_ - 1));
      }
      *end = index_[*id];
    }
    if (link.a == link.b)
      return words_.fail("links", fmt::format("node {} is linked to itself", topology_.nodes[link.a].file_id));
    const auto rate = words_.next();
    const auto delay = rate ? words_.next() : std::nullopt;
    const auto loss = delay ? words_.next() : std::nullopt;
    if (!loss) return ends_here(!rate ? "rate" : (!delay ? "delay" : "error_rate"));
    const auto bps = parse_rate(*rate);
    if (!bps || *bps == 0 || *bps > kRateMaxBps) {
      return words_.fail("rate", fmt::format("{}: expected a rate above 0 such as 100Gbps", shown(*rate)));
    }
    const auto time = parse_duration(*delay);
    if (!time || *time <= base::Duration() || *time > kDelayMax) {
      return words_.fail("delay", fmt::format("{}: expected a time above 0 such as 1000ns, at most 1s", shown(*delay)));
    }
    const auto share = parse_decimal(*loss, 9);
    if (!share || *share > 1'000'000'000) {
      return words_.fail("error_rate", fmt::format("{}: expected the share of packets lost, 0 to 1", shown(*loss)));
    }
    link.rate_bps = *bps;
    link.delay = *time;
    link.packet_loss_e9 = *share;
    return link;
  }

  std::size_t bytes_;
  WordReader words_;
  std::string_view file_;
  std::uint32_t nodes_ = 0;
  std::uint32_t switches_ = 0;
  std::uint32_t links_ = 0;
  std::vector<std::uint32_t> index_;  ///< the file's id -> node index
  Topology topology_;
};

}  // namespace

base::TextResult<Topology> import_hpcc(std::string_view text, std::string_view file) {
  return HpccImporter(text, file).import();
}

}  // namespace rocelab::sim
