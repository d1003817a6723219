// Who the devices of a host are (runtime/identity.h).
#include <set>
#include <string>

#include "runtime/identity.h"
#include "tests/support/catch.h"

using namespace rocelab;
using namespace rocelab::runtime;

namespace {

Config lab(std::uint32_t devices = 1) {
  Config config;
  config.run_dir = "/tmp/rocelab-identity-test";
  config.devices = devices;
  return config;
}

}  // namespace

TEST_CASE("identity: the same machine and run directory give the same devices", "[runtime][identity]") {
  const auto a = describe_devices(lab(), "machine-1"), b = describe_devices(lab(), "machine-1");
  REQUIRE(a.has_value());
  REQUIRE(b.has_value());
  CHECK((*a)[0].mac == (*b)[0].mac);
  CHECK((*a)[0].gids[2].gid == (*b)[0].gids[2].gid);
}

TEST_CASE("identity: another machine or run directory gives other devices", "[runtime][identity]") {
  const auto a = describe_devices(lab(), "machine-1"), b = describe_devices(lab(), "machine-2");
  Config elsewhere = lab();
  elsewhere.run_dir += "-2";
  const auto c = describe_devices(elsewhere, "machine-1");
  CHECK((*a)[0].mac != (*b)[0].mac);
  CHECK((*a)[0].mac != (*c)[0].mac);
  CHECK((*a)[0].gids[2].gid != (*b)[0].gids[2].gid);
}

TEST_CASE("identity: the default table is link-local then IPv4, version 1 before 2", "[runtime][identity]") {
  const auto devices = describe_devices(lab(), "machine");
  REQUIRE(devices.has_value());
  const DeviceDescription& device = devices->front();
  CHECK(device.name == "rocelab0");
  CHECK(device.mtu == rxe::PathMtu::k4096);
  CHECK((device.mac[0] & 0x03) == 0x02);
  CHECK(device.node_guid == eui64(device.mac));
  REQUIRE(device.gids.size() == 4);
  CHECK(device.gids[0].gid == link_local_gid(device.mac));
  CHECK(device.gids[0].type == rxe::GidType::kRoceV1);
  CHECK(device.gids[1].gid == link_local_gid(device.mac));
  CHECK(device.gids[1].type == rxe::GidType::kRoceV2);
  CHECK(device.gids[2].type == rxe::GidType::kRoceV1);
  CHECK(device.gids[3].type == rxe::GidType::kRoceV2);
  CHECK(device.gids[3].gid == device.gids[2].gid);
  REQUIRE(device.gids[3].gid.is_ipv4_mapped());
  CHECK((device.gids[3].gid.ipv4() & 0xfffe'0000u) == (198u << 24 | 18u << 16));
  for (const rxe::GidEntry& entry : device.gids) CHECK(entry.valid);
}

TEST_CASE("identity: eight devices of a host differ in name, MAC and address", "[runtime][identity]") {
  for (const char* machine : {"a", "b", "c", "d"}) {
    const auto devices = describe_devices(lab(8), machine);
    REQUIRE(devices.has_value());
    std::set<std::string> names;
    std::set<wire::MacAddress> macs;
    std::set<wire::Gid> gids;
    for (const DeviceDescription& device : *devices) {
      names.insert(device.name);
      macs.insert(device.mac);
      gids.insert(device.gids[0].gid);
      gids.insert(device.gids[2].gid);
    }
    CHECK(names.size() == 8);
    CHECK(macs.size() == 8);
    CHECK(gids.size() == 16);
  }
}

TEST_CASE("identity: the first device is the same with and without others", "[runtime][identity]") {
  CHECK((*describe_devices(lab(1), "m"))[0].mac == (*describe_devices(lab(3), "m"))[0].mac);
}

TEST_CASE("identity: configured addresses take the place of the default one", "[runtime][identity]") {
  Config config = lab(2);
  config.addresses = {{*wire::parse_gid("10.9.0.1"), *wire::parse_gid("fd00::9")}};
  const auto devices = describe_devices(config, "machine");
  REQUIRE(devices.has_value());
  REQUIRE((*devices)[0].gids.size() == 6);
  CHECK((*devices)[0].gids[2].gid == *wire::parse_gid("10.9.0.1"));
  CHECK((*devices)[0].gids[5].gid == *wire::parse_gid("fd00::9"));
  CHECK((*devices)[1].gids.size() == 4);  // the second has none configured
}

TEST_CASE("identity: a configured MTU is taken over", "[runtime][identity]") {
  Config config = lab();
  config.mtu = rxe::PathMtu::k512;
  CHECK((*describe_devices(config, "machine"))[0].mtu == rxe::PathMtu::k512);
}

TEST_CASE("identity: a link-local GID of a MAC tells the MAC", "[runtime][identity]") {
  const wire::MacAddress mac = {0x02, 0x11, 0x22, 0x33, 0x44, 0x55};
  CHECK(to_string(link_local_gid(mac)) == "fe80::11:22ff:fe33:4455");
  wire::MacAddress found{};
  CHECK(is_link_local_of_mac(link_local_gid(mac), found));
  CHECK(found == mac);
  CHECK_FALSE(is_link_local_of_mac(*wire::parse_gid("fe80::1"), found));
  CHECK_FALSE(is_link_local_of_mac(*wire::parse_gid("fd00::11:22ff:fe33:4455"), found));
  CHECK_FALSE(is_link_local_of_mac(*wire::parse_gid("10.0.0.1"), found));
}

TEST_CASE("identity: an interface that is not there or no Ethernet is refused by name", "[runtime][identity]") {
  Config config = lab();
  config.port = PortKind::kAfPacket;
  config.interface = "no-such-if0";
  const auto missing = describe_devices(config, "machine");
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().find("`no-such-if0`") != std::string::npos);
  config.interface = "lo";
  const auto loopback = describe_devices(config, "machine");
  REQUIRE_FALSE(loopback.has_value());
  CHECK(loopback.error().find("not an Ethernet interface") != std::string::npos);
}

TEST_CASE("identity: this machine has an id", "[runtime][identity]") {
  CHECK_FALSE(machine_id().empty());
  CHECK(machine_id() == machine_id());
}

TEST_CASE("identity: with sockets the table is the addresses that they have, as version 2", "[runtime][identity]") {
  Config config = lab();
  config.port = PortKind::kUdp;
  config.addresses = {{wire::Gid::from_ipv4(0x7f000001), wire::Gid::from_ipv4(0x7f010203)}};
  const auto devices = describe_devices(config, "machine");
  REQUIRE(devices.has_value());
  const DeviceDescription& device = devices->front();
  CHECK(device.interface == "lo");
  CHECK(device.mac != wire::MacAddress{});  // the loopback interface has none: drawn
  REQUIRE(device.gids.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(device.gids[i].gid == config.addresses[0][i]);
    CHECK(device.gids[i].type == rxe::GidType::kRoceV2);
    CHECK(device.gids[i].ndev_ifindex == device.interface_index);
  }
  config.addresses = {{wire::Gid::from_ipv4(0xc6336401)}};  // 198.51.100.1: nobody's
  const auto nobody = describe_devices(config, "machine");
  REQUIRE_FALSE(nobody.has_value());
  CHECK(nobody.error().find("port `udp` needs addresses of this machine") != std::string::npos);
}
