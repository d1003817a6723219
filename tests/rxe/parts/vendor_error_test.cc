// The table of vendor_err values against docs/completion-status.md, which users read, and the counters' names.
#include "rxe/vendor_error.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "rxe/counters.h"
#include "tests/support/catch.h"

namespace rocelab::rxe {

namespace {

/// The rows of the document's table that begin with a number: "| 0x11 | NAME | STATUS (4) | meaning |".
std::vector<std::string> documented_rows() {
  const char* root = std::getenv("ROCELAB_SOURCE_ROOT");
  std::ifstream file(std::string(root != nullptr ? root : ".") + "/docs/completion-status.md");
  REQUIRE(file.good());
  std::vector<std::string> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("| 0x")) rows.push_back(line);
  }
  return rows;
}

}  // namespace

TEST_CASE("vendor_err: the document's table is the code's, row by row", "[rxe][vendor_error]") {
  std::vector<std::string> expected;
  for (const VendorErrorEntry& entry : vendor_error_table()) {
    char number[16];
    std::snprintf(number, sizeof number, "0x%02x", static_cast<unsigned>(entry.value));
    expected.push_back("| " + std::string(number) + " | " + std::string(entry.name) + " | " +
                       std::string(name(entry.status)) + " (" + std::to_string(static_cast<int>(entry.status)) +
                       ") | " + std::string(entry.meaning) + " |");
  }
  CHECK(documented_rows() == expected);
}

TEST_CASE("vendor_err: values ascend, names differ, none is 0", "[rxe][vendor_error]") {
  std::set<std::string_view> names;
  std::uint32_t last = 0;
  for (const VendorErrorEntry& entry : vendor_error_table()) {
    CHECK(static_cast<std::uint32_t>(entry.value) > last);
    last = static_cast<std::uint32_t>(entry.value);
    CHECK(names.insert(entry.name).second);
    CHECK(entry.status != WcStatus::kSuccess);
    CHECK(name(entry.value) == entry.name);
  }
  CHECK(name(VendorError::kNone) == "NONE");
  CHECK(name(static_cast<VendorError>(0x999)) == "?");
}

TEST_CASE("vendor_err: every access fault has a value as local error and as key error", "[rxe][vendor_error]") {
  for (unsigned fault = 1; fault <= static_cast<unsigned>(mm::AccessFault::kBusy); ++fault) {
    CHECK(name(local_error(static_cast<mm::AccessFault>(fault))) != "?");
    CHECK(name(key_error(static_cast<mm::AccessFault>(fault))) != "?");
  }
  CHECK(local_error(mm::AccessFault::kNone) == VendorError::kNone);
  CHECK(key_error(mm::AccessFault::kNone) == VendorError::kNone);
}

TEST_CASE("counters: the table names every counter once", "[rxe][counters]") {
  std::set<std::string_view> names;
  Counters counters;
  for (const CounterEntry& entry : counter_table()) {
    CHECK(names.insert(entry.name).second);
    CHECK(counters.*entry.member == 0);
    counters.*entry.member = 1;
  }
  CHECK(names.size() * sizeof(std::uint64_t) == sizeof(Counters));
  CHECK(names.contains("duplicate_request"));
  CHECK(names.contains("drop_bad_qpn"));
}

}  // namespace rocelab::rxe
