// The tree that stands for /sys/class/infiniband: its contents, and that writing it is all or nothing.
#include "cli/sysfs_tree.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "tests/cli/descriptions.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace rocelab::cli {

using test::ScratchFolder;

namespace fs = std::filesystem;

namespace {

std::string contents(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

const std::string kPort = "devices/virtual/infiniband/rocelab0/ports/1";

}  // namespace

TEST_CASE("sysfs: the port's files have the kernel's names and formats", "[cli][sysfs]") {
  const auto devices = two_devices();
  SysfsTree tree = make_sysfs_tree(devices, 128);
  CHECK(tree.files[kPort + "/state"] == "4: ACTIVE\n");
  CHECK(tree.files[kPort + "/phys_state"] == "5: LinkUp\n");
  CHECK(tree.files[kPort + "/link_layer"] == "Ethernet\n");
  CHECK(tree.files[kPort + "/lid"] == "0x0\n");
  CHECK(tree.files[kPort + "/rate"] == "100 Gb/sec (4X EDR)\n");
  CHECK(tree.files[kPort + "/pkeys/0"] == "0xffff\n");
  CHECK(tree.files["devices/virtual/infiniband/rocelab0/node_guid"] == "0200:00ff:fe00:0001\n");
  CHECK(tree.files["devices/virtual/infiniband/rocelab0/node_type"] == "1: CA\n");
  CHECK(tree.links["class/infiniband/rocelab1"] == "../../devices/virtual/infiniband/rocelab1");
  CHECK(tree.files["devices/virtual/infiniband_verbs/uverbs1/ibdev"] == "rocelab1\n");
}

TEST_CASE("sysfs: GIDs are listed to the end of the table, their attributes only where an entry is valid",
          "[cli][sysfs]") {
  const auto devices = two_devices();
  SysfsTree tree = make_sysfs_tree(devices, 128);
  CHECK(tree.files[kPort + "/gids/0"] == "fe80:0000:0000:0000:0000:00ff:fe00:0001\n");
  CHECK(tree.files[kPort + "/gid_attrs/types/0"] == "IB/RoCE v1\n");
  CHECK(tree.files[kPort + "/gids/1"] == "0000:0000:0000:0000:0000:ffff:0a4d:0001\n");
  CHECK(tree.files[kPort + "/gid_attrs/types/1"] == "RoCE v2\n");
  CHECK(tree.files[kPort + "/gids/127"] == "0000:0000:0000:0000:0000:0000:0000:0000\n");
  CHECK(tree.files.count(kPort + "/gids/128") == 0);
  CHECK(tree.files.count(kPort + "/gid_attrs/types/2") == 0);
  // Only a device with an uplink has a network interface to name.
  CHECK(tree.files.count(kPort + "/gid_attrs/ndevs/0") == 0);
  CHECK(tree.files["devices/virtual/infiniband/rocelab1/ports/1/gid_attrs/ndevs/0"] == "eth7\n");
  CHECK(tree.files["devices/virtual/infiniband/rocelab1/device/net/eth7/address"] == "02:00:00:00:00:02\n");
}

TEST_CASE("sysfs: every counter of the engine has a file", "[cli][sysfs]") {
  const auto devices = two_devices();
  SysfsTree tree = make_sysfs_tree(devices, 128);
  CHECK(tree.files[kPort + "/hw_counters/rcvd_pkts"] == "0\n");
  CHECK(tree.files[kPort + "/hw_counters/drop_bad_qpn"] == "0\n");
}

TEST_CASE("sysfs: the written tree reads back, links lead inside it", "[cli][sysfs]") {
  const ScratchFolder scratch;
  const auto devices = two_devices();
  const SysfsTree tree = make_sysfs_tree(devices, 4);
  const auto folder = write_tree(tree, scratch.path());
  REQUIRE(folder.has_value());
  for (const auto& [name, text] : tree.files) CHECK(contents(fs::path(*folder) / name) == text);
  CHECK(contents(fs::path(*folder) / "class/infiniband/rocelab0/ports/1/state") == "4: ACTIVE\n");
  CHECK(contents(fs::path(*folder) / "class/infiniband_verbs/uverbs1/device/numa_node") == "-1\n");
}

TEST_CASE("sysfs: the same devices give the same folder, other devices another, and nothing is left over",
          "[cli][sysfs]") {
  const ScratchFolder scratch;
  auto devices = two_devices();
  const SysfsTree tree = make_sysfs_tree(devices, 4);
  const auto first = write_tree(tree, scratch.path());
  const auto again = write_tree(tree, scratch.path());
  devices.pop_back();
  const auto other = write_tree(make_sysfs_tree(devices, 4), scratch.path());
  REQUIRE(first.has_value());
  REQUIRE(again.has_value());
  REQUIRE(other.has_value());
  CHECK(*first == *again);
  CHECK(*first != *other);
  CHECK(std::distance(fs::directory_iterator(scratch.path()), fs::directory_iterator()) == 2);
}

TEST_CASE("sysfs: a tree of which something was taken is made anew", "[cli][sysfs]") {
  const ScratchFolder scratch;
  const auto devices = two_devices();
  const SysfsTree tree = make_sysfs_tree(devices, 4);
  const auto folder = write_tree(tree, scratch.path());
  REQUIRE(folder.has_value());
  const fs::path state = fs::path(*folder) / kPort / "state";
  REQUIRE(fs::remove(state));
  const auto again = write_tree(tree, scratch.path());
  REQUIRE(again.has_value());
  CHECK(*again == *folder);
  CHECK(contents(state) == "4: ACTIVE\n");
}

TEST_CASE("sysfs: many writers at once agree on one whole tree", "[cli][sysfs]") {
  const ScratchFolder scratch;
  const auto devices = two_devices();
  const SysfsTree tree = make_sysfs_tree(devices, 4);
  std::vector<std::thread> writers;
  std::vector<std::string> folders(4);
  for (std::string& folder : folders) {
    writers.emplace_back([&] { folder = write_tree(tree, scratch.path()).value_or("failed"); });
  }
  for (std::thread& writer : writers) writer.join();
  for (const std::string& folder : folders) CHECK(folder == folders.front());
  CHECK(std::distance(fs::directory_iterator(scratch.path()), fs::directory_iterator()) == 1);
  for (const auto& [name, text] : tree.files) CHECK(contents(fs::path(folders.front()) / name) == text);
}

TEST_CASE("sysfs: a run directory that cannot be written is named in the message", "[cli][sysfs]") {
  const auto devices = two_devices();
  const auto failed = write_tree(make_sysfs_tree(devices, 4), "/no/such/folder");
  REQUIRE(!failed.has_value());
  CHECK(failed.error().find("/no/such/folder") != std::string::npos);
}

}  // namespace rocelab::cli
