// Which directories may be a host (runtime/run_directory.h).
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "runtime/run_directory.h"
#include "tests/runtime/temporary_directory.h"
#include "tests/support/catch.h"

using rocelab::runtime::RunDirectory;
using rocelab::tests::TemporaryDirectory;

namespace {

std::string error_of(const std::string& path) {
  const auto directory = RunDirectory::open(path);
  return directory ? "" : directory.error();
}
bool says(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

}  // namespace

TEST_CASE("run directory: a missing one is made for its owner alone", "[runtime][directory]") {
  const TemporaryDirectory where;
  const auto directory = RunDirectory::open(where.file("run"));
  REQUIRE(directory.has_value());
  struct stat status {};
  REQUIRE(stat(where.file("run").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0700);
  CHECK(directory->file("x") == where.file("run/x"));
  CHECK(RunDirectory::open(where.file("run")).has_value());  // and found again
}

TEST_CASE("run directory: a symbolic link is not followed", "[runtime][directory]") {
  const TemporaryDirectory where;
  REQUIRE(mkdir(where.file("real").c_str(), 0700) == 0);
  REQUIRE(symlink(where.file("real").c_str(), where.file("link").c_str()) == 0);
  CHECK(says(error_of(where.file("link")), "a symbolic link is not followed"));
}

TEST_CASE("run directory: a file is no directory", "[runtime][directory]") {
  const TemporaryDirectory where;
  std::ofstream(where.file("file")) << "x";
  CHECK(says(error_of(where.file("file")), "it is not a directory"));
}

TEST_CASE("run directory: a mode that lets others in is refused", "[runtime][directory]") {
  const TemporaryDirectory where;
  for (const mode_t mode : {0755u, 0770u, 0701u, 0777u}) {
    REQUIRE(chmod(where.path().c_str(), mode) == 0);
    CHECK(says(error_of(where.path()), "lets others in, expected 0700"));
  }
  REQUIRE(chmod(where.path().c_str(), 0700) == 0);
  CHECK(error_of(where.path()).empty());
}

TEST_CASE("run directory: one of another user is refused", "[runtime][directory]") {
  const TemporaryDirectory where;
  if (geteuid() == 0) {
    REQUIRE(chown(where.path().c_str(), 12345, 12345) == 0);
    CHECK(says(error_of(where.path()), "belongs to user 12345, expected 0"));
  } else {
    CHECK(says(error_of("/"), "belongs to user 0"));
  }
}

TEST_CASE("run directory: a parent that is not there is named", "[runtime][directory]") {
  CHECK(says(error_of("/nowhere/at/all"), "run directory `/nowhere/at/all`: cannot create it"));
}

TEST_CASE("run directory: a path that leaves no room for sockets is refused", "[runtime][directory]") {
  CHECK(says(error_of("/tmp/" + std::string(70, 'x')), "the path is too long, at most 70 bytes"));
}
