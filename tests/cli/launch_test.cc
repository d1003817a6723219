// What `rocelab run` does before it becomes the program: looking for it, and composing its environment.
#include "cli/launch.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace rocelab::cli {

using test::ScratchFolder;

namespace fs = std::filesystem;

TEST_CASE("launch: a name without a slash is looked for in each folder of the search path in turn", "[cli][launch]") {
  const ScratchFolder scratch;
  fs::create_directories(scratch.path() / "first");
  fs::create_directories(scratch.path() / "second/tool");  // a folder of that name is no program
  std::ofstream(scratch.path() / "first/data") << "not executable";
  for (const char* name : {"second/data", "second/other"}) {
    std::ofstream(scratch.path() / name) << "#!/bin/sh\n";
    fs::permissions(scratch.path() / name, fs::perms::owner_all);
  }
  const std::string path = (scratch.path() / "first").string() + ":" + (scratch.path() / "second").string();
  CHECK(find_program("data", path) == (scratch.path() / "second/data").string());
  CHECK(find_program("other", path) == (scratch.path() / "second/other").string());
  CHECK(find_program("tool", path).empty());
  CHECK(find_program("absent", path).empty());
  CHECK(find_program("data", "").empty());
}

TEST_CASE("launch: a name with a slash is taken as it is", "[cli][launch]") {
  CHECK(find_program("/bin/sh", "/nowhere") == "/bin/sh");
  CHECK(find_program("/bin/no-such-program", "/bin").empty());
}

TEST_CASE("launch: our folder comes first in the library path, and once", "[cli][launch]") {
  CHECK(with_entry("", "/r", false) == "/r");
  CHECK(with_entry("/a:/b", "/r", false) == "/r:/a:/b");
  CHECK(with_entry("/a:/r:/b", "/r", false) == "/r:/a:/b");
  CHECK(with_entry("/r", "/r", false) == "/r");
  // An empty entry means the working directory: it stays what it was.
  CHECK(with_entry("/a::/b", "/r", false) == "/r:/a::/b");
}

TEST_CASE("launch: the shim comes after what is already preloaded, and once", "[cli][launch]") {
  CHECK(with_entry("", "/r/shim.so", true) == "/r/shim.so");
  CHECK(with_entry("/x.so", "/r/shim.so", true) == "/x.so:/r/shim.so");
  CHECK(with_entry("/x.so /y.so", "/r/shim.so", true) == "/x.so:/y.so:/r/shim.so");
  CHECK(with_entry("/r/shim.so:/x.so", "/r/shim.so", true) == "/x.so:/r/shim.so");
}

TEST_CASE("launch: programs whose dynamic linker would ignore the environment are refused with the reason",
          "[cli][launch]") {
  const ScratchFolder scratch;
  const fs::path program = scratch.path() / "program";
  fs::copy_file("/proc/self/exe", program);
  CHECK(linker_objection(program).empty());
  CHECK(linker_objection("/bin/sh").empty());
  CHECK(linker_objection(scratch.path() / "absent").empty());

  // An executable whose program headers name no interpreter: the header of this one, without its segments.
  std::string header(4096, '\0');
  std::ifstream("/proc/self/exe", std::ios::binary).read(header.data(), static_cast<std::streamsize>(header.size()));
  header[56] = header[57] = 0;  // e_phnum
  std::ofstream(scratch.path() / "static", std::ios::binary) << header;
  CHECK(linker_objection(scratch.path() / "static").find("statically linked") != std::string::npos);

  if (getuid() != 0) {
    WARN("SKIP: only root can make a program that belongs to another user");
    return;
  }
  REQUIRE(chown(program.c_str(), 65534, 65534) == 0);
  REQUIRE(chmod(program.c_str(), 04755) == 0);
  CHECK(linker_objection(program).find("set-user-id") != std::string::npos);
  REQUIRE(chmod(program.c_str(), 02755) == 0);
  CHECK(linker_objection(program).find("set-group-id") != std::string::npos);
}

}  // namespace rocelab::cli
