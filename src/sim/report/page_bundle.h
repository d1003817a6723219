// The page without its data, as web/bundle.py puts it together at build time: markup, styles, the chart library and our
// script. Used by page.cc alone.
#pragma once

#include <string_view>

namespace rocelab::sim {

extern const std::string_view kPageBeforeData;
extern const std::string_view kPageAfterData;

}  // namespace rocelab::sim
