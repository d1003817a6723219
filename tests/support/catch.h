// The one place that knows which Catch2 is installed: 2.13 (Debian 12) or 3.x (Debian 13). Every test includes this
// header instead of Catch2's own.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
