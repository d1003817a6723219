// GidTable, make_path, multicast MACs, MulticastTable.
#include <cerrno>
#include <vector>

#include "rxe/address_handle.h"
#include "rxe/gid_table.h"
#include "rxe/multicast.h"
#include "tests/support/catch.h"

namespace rocelab::rxe {

namespace {

wire::Gid gid(std::string_view text) { return *wire::parse_gid(text); }

GidEntry entry(std::string_view address, GidType type = GidType::kRoceV2) {
  GidEntry e;
  e.gid = gid(address);
  e.type = type;
  e.valid = true;
  return e;
}

struct Fixture {
  GidTable gids{8};
  AddressVector av;

  Fixture() {
    REQUIRE(gids.set(0, entry("10.0.0.1")));
    REQUIRE(gids.set(1, entry("fd00::1")));
    REQUIRE(gids.set(2, entry("10.0.0.1", GidType::kRoceV1)));
    GidEntry vlan = entry("10.0.0.1");
    vlan.has_vlan = true;
    vlan.vlan_id = 77;
    REQUIRE(gids.set(3, vlan));
    av.dgid = gid("10.0.0.2");
    av.destination_mac = {2, 0, 0, 0, 0, 2};
  }
  base::Result<wire::Path> path(PathUse use = PathUse::kConnected, bool ecn = false) {
    return make_path(gids, av, {.source_mac = {2, 0, 0, 0, 0, 1}, .use = use, .ecn_capable = ecn});
  }
};

}  // namespace

TEST_CASE("gid table: it refuses addresses that cannot be a port's", "[rxe][gid]") {
  GidTable table(4);
  CHECK(table.size() == 4);
  CHECK(table.set(4, entry("10.0.0.1")).error().code == EINVAL);
  CHECK(table.set(0, entry("::")).error().code == EINVAL);
  CHECK(table.set(0, entry("ff02::1")).error().code == EINVAL);
  CHECK(table.set(0, entry("224.0.0.1")).error().code == EINVAL);
  CHECK(table.set(0, entry("10.0.0.1", static_cast<GidType>(9))).error().code == EINVAL);
  GidEntry vlan = entry("10.0.0.1");
  vlan.has_vlan = true;
  vlan.vlan_id = 4095;
  CHECK(table.set(0, vlan).error().code == EINVAL);
  CHECK(table.find(0) == nullptr);
}

TEST_CASE("gid table: the same address may stand there as v1, as v2 and in VLANs, but once each", "[rxe][gid]") {
  Fixture f;
  CHECK(f.gids.set(5, entry("10.0.0.1")).error().code == EEXIST);
  CHECK(f.gids.set(0, entry("10.0.0.1")).has_value());  // onto itself
  CHECK(*f.gids.index_of(gid("10.0.0.1"), GidType::kRoceV1) == 2);
  CHECK_FALSE(f.gids.index_of(gid("fd00::1"), GidType::kRoceV1).has_value());
}

TEST_CASE("gid table: an entry can be cleared", "[rxe][gid]") {
  Fixture f;
  CHECK(f.gids.contains(gid("fd00::1")));
  REQUIRE(f.gids.set(1, GidEntry{}));
  CHECK_FALSE(f.gids.contains(gid("fd00::1")));
  CHECK(f.gids.find(1) == nullptr);
  CHECK_FALSE(f.gids.get(1)->valid);
  CHECK(f.gids.get(8).error().code == EINVAL);
}

TEST_CASE("path: the encapsulation follows from the source GID's entry", "[rxe][av]") {
  Fixture f;
  CHECK(f.path()->encapsulation == wire::Encapsulation::kRoceV2Ipv4);
  f.av.sgid_index = 2;
  CHECK(f.path()->encapsulation == wire::Encapsulation::kRoceV1);
  f.av.sgid_index = 1;
  f.av.dgid = gid("fd00::2");
  CHECK(f.path()->encapsulation == wire::Encapsulation::kRoceV2Ipv6);
}

TEST_CASE("path: addresses, traffic class, flow label and hop limit are those of the address vector", "[rxe][av]") {
  Fixture f;
  f.av.traffic_class = 0x68;
  f.av.flow_label = 0xfff'ffff;
  f.av.hop_limit = 7;
  const auto path = f.path();
  REQUIRE(path.has_value());
  CHECK(path->source_gid == gid("10.0.0.1"));
  CHECK(path->destination_gid == gid("10.0.0.2"));
  CHECK(path->destination_mac == wire::MacAddress{2, 0, 0, 0, 0, 2});
  CHECK(path->traffic_class == 0x68);
  CHECK(path->flow_label == 0xf'ffff);
  CHECK(path->hop_limit == 7);
  f.av.hop_limit = 0;
  CHECK(f.path()->hop_limit == kDefaultHopLimit);
}

TEST_CASE("path: the VLAN is the GID's and the service level becomes its priority", "[rxe][av]") {
  Fixture f;
  f.av.sgid_index = 3;
  f.av.service_level = 5;
  CHECK(f.path()->has_vlan);
  CHECK(f.path()->vlan_id == 77);
  CHECK(f.path()->priority == 5);
  f.av.service_level = 16;
  CHECK(f.path().error().code == EINVAL);
}

TEST_CASE("path: with congestion control packets are ECN-capable unless the application says otherwise", "[rxe][av]") {
  Fixture f;
  f.av.traffic_class = 0x20;
  CHECK((f.path(PathUse::kConnected, false)->traffic_class & kEcnMask) == 0);
  CHECK((f.path(PathUse::kConnected, true)->traffic_class & kEcnMask) == kEct0);
  f.av.traffic_class = 0x21;
  CHECK(f.path(PathUse::kConnected, true)->traffic_class == 0x21);
}

TEST_CASE("path: what cannot be sent to is EINVAL", "[rxe][av]") {
  Fixture f;
  const auto refused = [&](auto change, PathUse use = PathUse::kConnected) {
    const AddressVector good = f.av;
    change(f.av);
    const auto path = f.path(use);
    f.av = good;
    return path ? 0 : path.error().code;
  };
  CHECK(refused([](AddressVector& av) { av.sgid_index = 7; }) == EINVAL);
  CHECK(refused([](AddressVector& av) { av.sgid_index = 200; }) == EINVAL);
  CHECK(refused([](AddressVector& av) { av.dgid = {}; }) == EINVAL);
  CHECK(refused([](AddressVector& av) { av.dgid = gid("0.0.0.0"); }) == EINVAL);
  CHECK(refused([](AddressVector& av) { av.dgid = gid("fd00::2"); }) == EINVAL);
  CHECK(refused([](AddressVector& av) { av.dgid = gid("224.1.2.3"); }) == EINVAL);
  CHECK(refused([](AddressVector& av) { av.dgid = gid("224.1.2.3"); }, PathUse::kDatagram) == 0);
}

TEST_CASE("multicast: MAC addresses are derived as RFC 1112 and RFC 2464 say", "[rxe][multicast]") {
  CHECK(multicast_mac(gid("239.129.2.3")) == wire::MacAddress{0x01, 0x00, 0x5e, 0x01, 2, 3});
  CHECK(multicast_mac(gid("ff0e::1:2")) == wire::MacAddress{0x33, 0x33, 0, 1, 0, 2});
  Fixture f;
  f.av.dgid = gid("239.1.2.3");
  CHECK(f.path(PathUse::kDatagram)->destination_mac == wire::MacAddress{0x01, 0x00, 0x5e, 1, 2, 3});
}

TEST_CASE("multicast: only UD QPs join, and only multicast addresses are groups", "[rxe][multicast]") {
  MulticastTable table(2, 2);
  CHECK(table.attach(1, QpType::kRc, gid("ff02::1")).error().code == EINVAL);
  CHECK(table.attach(1, QpType::kGsi, gid("ff02::1")).error().code == EINVAL);
  CHECK(table.attach(1, QpType::kUd, gid("fd00::1")).error().code == EINVAL);
  CHECK(table.size() == 0);
}

TEST_CASE("multicast: attached twice it gets one copy and is detached by the second detach", "[rxe][multicast]") {
  MulticastTable table(2, 2);
  const wire::Gid group = gid("ff02::1");
  REQUIRE(table.attach(5, QpType::kUd, group));
  REQUIRE(table.attach(5, QpType::kUd, group));
  CHECK(table.members(group).size() == 1);
  REQUIRE(table.detach(5, group));
  CHECK(table.members(group).size() == 1);
  CHECK(table.groups_of(5) == 1);
  REQUIRE(table.detach(5, group));
  CHECK(table.members(group).empty());
  CHECK(table.size() == 0);
  CHECK(table.detach(5, group).error().code == EINVAL);
}

TEST_CASE("multicast: members come by ascending number, and the limits hold", "[rxe][multicast]") {
  MulticastTable table(2, 2);
  const wire::Gid one = gid("ff02::1"), two = gid("ff02::2"), three = gid("ff02::3");
  REQUIRE(table.attach(9, QpType::kUd, one));
  REQUIRE(table.attach(4, QpType::kUd, one));
  CHECK(table.attach(7, QpType::kUd, one).error().code == ENOMEM);
  REQUIRE(table.attach(4, QpType::kUd, two));
  CHECK(table.attach(4, QpType::kUd, three).error().code == ENOMEM);
  CHECK(table.members(one)[0].qpn == 4);
  CHECK(table.members(one)[1].qpn == 9);
  CHECK(table.groups_of(4) == 2);
  CHECK(table.detach(9, two).error().code == EINVAL);
}

}  // namespace rocelab::rxe
