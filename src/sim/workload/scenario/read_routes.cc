// [[route]]: explicit routes, host by host, in place of what the shortest paths would be.
#include <fmt/format.h>

#include "sim/fabric/routing/plan.h"
#include "sim/workload/scenario/readers.h"

namespace rocelab::sim {

namespace {

class RouteReader {
 public:
  explicit RouteReader(const Scenario& scenario) : topology_(scenario.topology), map_(topology_) {}

  void read(Section& section, const NodeNames& names, std::vector<ExplicitRoute>& out) const {
    std::string at;
    section.require("at");
    section.text("at", at);
    section.require("to");
    section.require("via");
    const std::vector<std::uint32_t> destinations = read_hosts(section, "to", names, topology_.host_count);
    std::vector<std::string> via;
    section.texts("via", via);
    section.finish();
    if (section.failed()) return;
    const auto node = names.find(at);
    if (!node || topology_.is_host(*node)) return section.fail("at", fmt::format("there is no switch `{}`", at));
    ExplicitRoute route;
    route.switch_index = *node - topology_.host_count;
    for (const std::string& name : via) {
      const std::size_t before = route.ports.size();
      const auto next = names.find(name);
      for (std::uint32_t port = 0; next && port < map_.adjacency.port_count(*node); ++port) {
        if (map_.adjacency.port(*node, port).peer == *next) route.ports.push_back(static_cast<std::uint16_t>(port));
      }
      if (route.ports.size() == before) return section.fail("via", fmt::format("`{}` has no link to `{}`", at, name));
    }
    for (const std::uint32_t destination : destinations) {
      route.destination = destination;
      if (const auto good = check_routes(map_, {route}); !good) return section.fail("via", good.error());
      out.push_back(route);
    }
  }

 private:
  const Topology& topology_;
  RoutingMap map_;
};

}  // namespace

void read_routes(std::vector<Section> sections, Scenario& out) {
  if (sections.empty()) return;
  const NodeNames names(out.topology);
  const RouteReader reader(out);
  for (Section& section : sections) {
    reader.read(section, names, out.routes);
    if (section.failed()) return;
  }
}

}  // namespace rocelab::sim
