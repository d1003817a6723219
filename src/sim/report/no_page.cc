// In place of the page where the build leaves it out (-Dreport=disabled): says so (page.h).
#include "sim/report/page.h"

namespace rocelab::sim {

base::TextResult<void> write_page(const std::vector<std::string>&, const std::string&, const std::string&) {
  return base::fail_text("this rocelab was built without the page (-Dreport=disabled); --csv works");
}

}  // namespace rocelab::sim
