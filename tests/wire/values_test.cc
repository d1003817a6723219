// The small value types: PSN arithmetic around the circle, GIDs and MAC addresses as text, CRC-32.
#include <array>
#include <cstring>
#include <string>
#include <string_view>

#include "base/rng.h"
#include "tests/support/catch.h"
#include "wire/frame_error.h"
#include "wire/gid.h"
#include "wire/icrc.h"
#include "wire/mac.h"
#include "wire/psn.h"

namespace rocelab::wire {

TEST_CASE("PSN: addition and comparison go around the circle of 2^24", "[wire][psn]") {
  CHECK(Psn(0xff'ffff) + 1 == Psn(0));
  CHECK(Psn(0) - 1 == Psn(0xff'ffff));
  CHECK(Psn(0x0100'0005) == Psn(5));
  Psn psn(0xff'fffe);
  CHECK((++psn).value() == 0xff'ffff);
  CHECK((++psn).value() == 0);
  CHECK(Psn(0xff'fff0) < Psn(3));
  CHECK(Psn(3) > Psn(0xff'fff0));
  CHECK(Psn(3) <= Psn(3));
  CHECK(Psn(3) >= Psn(3));
  CHECK(distance(Psn(3), Psn(0xff'fff0)) == 19);
  CHECK(distance(Psn(0xff'fff0), Psn(3)) == -19);
}

TEST_CASE("PSN: up to 2^23 - 1 ahead is later, from 2^23 on it is earlier", "[wire][psn]") {
  base::Rng rng(1, "wire.psn");
  for (unsigned i = 0; i < 1000; ++i) {
    const Psn psn(static_cast<std::uint32_t>(rng.next()));
    const auto ahead = static_cast<std::uint32_t>(1 + rng.below(0x7f'ffff));
    REQUIRE(psn + ahead > psn);
    REQUIRE(distance(psn + ahead, psn) == static_cast<std::int32_t>(ahead));
    REQUIRE(psn - ahead < psn);
    REQUIRE(distance(psn - ahead, psn) == -static_cast<std::int32_t>(ahead));
  }
  CHECK(distance(Psn(0x80'0000), Psn(0)) == -0x80'0000);
}

TEST_CASE("GID: IPv4 addresses are mapped, and print as IPv4", "[wire][gid]") {
  const Gid gid = Gid::from_ipv4(0x0a4d0001);
  CHECK(gid.is_ipv4_mapped());
  CHECK(gid.ipv4() == 0x0a4d0001);
  CHECK(to_string(gid) == "10.77.0.1");
  CHECK(parse_gid("10.77.0.1") == gid);
  CHECK(parse_gid("::ffff:10.77.0.1") == gid);
  CHECK_FALSE(gid.is_multicast());
  CHECK(Gid::from_ipv4(0xe0000001).is_multicast());
  CHECK(Gid{}.is_zero());
  CHECK_FALSE(gid.is_zero());
}

TEST_CASE("GID: IPv6 notation, shortened as usual", "[wire][gid]") {
  const auto gid = parse_gid("fd77::1");
  REQUIRE(gid.has_value());
  CHECK(gid->bytes[0] == 0xfd);
  CHECK(gid->bytes[15] == 1);
  CHECK_FALSE(gid->is_ipv4_mapped());
  CHECK(to_string(*gid) == "fd77::1");
  CHECK(parse_gid("ff0e::ffff:1")->is_multicast());
  CHECK(to_string(Gid{}) == "::");
  CHECK(parse_gid("0000:0000:0000:0000:0000:ffff:0a4d:0001") == Gid::from_ipv4(0x0a4d0001));
  for (const std::string_view bad :
       {"", "10.77.0", "10.77.0.256", "fd77::1::2", "fd77", "host", "10.77.0.1 ", "1:2:3:4:5:6:7:8:9"}) {
    INFO(bad);
    CHECK_FALSE(parse_gid(bad).has_value());
  }
}

TEST_CASE("GID: any GID survives printing and parsing", "[wire][gid]") {
  base::Rng rng(1, "wire.gid");
  for (unsigned i = 0; i < 1000; ++i) {
    Gid gid;
    for (auto& byte : gid.bytes) byte = rng.chance(1, 2) ? 0 : static_cast<std::uint8_t>(rng.next() >> 56);
    INFO(to_string(gid));
    REQUIRE(parse_gid(to_string(gid)) == gid);
  }
}

TEST_CASE("MAC: six hexadecimal bytes between colons, and nothing else", "[wire][mac]") {
  const MacAddress mac{0x02, 0, 0, 0xab, 0xcd, 0x0a};
  CHECK(to_string(mac) == "02:00:00:ab:cd:0a");
  CHECK(parse_mac("02:00:00:ab:cd:0a") == mac);
  CHECK(parse_mac("02:00:00:AB:CD:0A") == mac);
  for (const std::string_view bad : {"", "02:00:00:ab:cd", "02:00:00:ab:cd:0a:", "02:00:00:ab:cd:0g", "0200.00ab.cd0a",
                                     "02:00:00:ab:cd:0a:01", " 02:00:00:ab:cd:0a", "02:00:00:ab:cd:+a"}) {
    INFO(bad);
    CHECK_FALSE(parse_mac(bad).has_value());
  }
}

TEST_CASE("CRC: the check value of CRC-32, in one call or in many", "[wire][crc]") {
  constexpr std::string_view kCheck = "123456789";
  const auto* data = reinterpret_cast<const std::byte*>(kCheck.data());
  CHECK(crc32_continue(0, data, kCheck.size()) == 0xcbf43926);
  CHECK(crc32_continue(0, data, 0) == 0);
  std::uint32_t crc = 0;
  for (std::size_t i = 0; i < kCheck.size(); ++i) crc = crc32_continue(crc, data + i, 1);
  CHECK(crc == 0xcbf43926);
}

TEST_CASE("CRC: any split of any length gives the same", "[wire][crc]") {
  base::Rng rng(1, "wire.crc");
  std::array<std::byte, 5000> data;
  for (std::byte& byte : data) byte = static_cast<std::byte>(rng.next() >> 56);
  for (unsigned i = 0; i < 500; ++i) {
    const std::size_t begin = rng.below(64);
    const std::size_t length = rng.below(data.size() - begin + 1);
    const std::size_t split = rng.below(length + 1);
    const std::byte* p = data.data() + begin;
    REQUIRE(crc32_continue(crc32_continue(0, p, split), p + split, length - split) == crc32_continue(0, p, length));
  }
}

TEST_CASE("frame errors: every reason has a name of its own", "[wire][frame_error]") {
  std::string names;
  for (std::size_t i = 0; i < kFrameErrorCount; ++i) names += std::string(name(static_cast<FrameError>(i))) + " ";
  CHECK(names == "not_roce truncated bad_ip_header bad_length unknown_opcode bad_version bad_pad bad_icrc ");
}

}  // namespace rocelab::wire
