// Which links are drawn as one on the page's topology: all of them alone while they are few; in large fabrics hosts of
// a switch, then whole tiers of a pod, become one node and the links between two of these one line. Used by
// page_links.cc.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "base/result.h"
#include "sim/report/page_data.h"

namespace rocelab::sim {

struct PageLink {
  std::int64_t id = 0;
  std::int64_t a = 0;
  std::int64_t a_port = 0;
  std::int64_t b = 0;
  std::int64_t b_port = 0;
  double rate_bps = 0;
};

base::TextResult<std::vector<PageLink>> read_links(Database& database);

struct DrawnNode {
  std::string name;  ///< of the only node, or of the group
  std::size_t count = 0;
  bool is_switch = false;
  std::uint32_t tier = 0;
  double x = 0;
  double y = 0;
};

struct Drawing {
  std::vector<DrawnNode> nodes;
  struct Line {
    std::size_t a = 0;  ///< index into nodes
    std::size_t b = 0;
    std::size_t count = 0;  ///< links in it
  };
  std::vector<Line> lines;
  std::vector<std::size_t> line_of;  ///< link index -> line, or SIZE_MAX: inside a group
  std::vector<bool> turned;          ///< link index: its a to b is the line's b to a
  const char* grouping = "none";     ///< "none", "hosts of a switch", "tiers of a pod"
};

Drawing make_drawing(const std::vector<PageLink>& links, const PageNodes& nodes);

}  // namespace rocelab::sim
