// Messages as bytes: what is written is read again, the kernel's own messages are read and written to the bit, and what
// is no message says why.
#include <algorithm>
#include <map>

#include "cm/messages.h"
#include "cm/service.h"
#include "net/frame_codec.h"
#include "tests/cm/random_message.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "wire/bytes.h"

namespace rocelab::test {

namespace {

using Bytes = std::array<std::byte, cm::kMadBytes>;

Bytes emitted(const cm::Mad& mad) {
  Bytes bytes;
  bytes.fill(std::byte{0xa5});
  cm::emit_mad(mad, bytes);
  return bytes;
}

/// The kernel's MADs: QP1's payloads of the captures.
struct Captured {
  std::string origin;
  wire::Path path;
  Bytes bytes;
};

std::vector<Captured> captured_mads() {
  std::vector<Captured> mads;
  for (const GoldenFrame& frame : golden_frames()) {
    wire::Packet packet;
    if (!frame.origin.starts_with("cm_") || !net::decode_frame(frame.bytes, packet)) continue;
    if (packet.bth.destination_qpn != 1 || packet.payload.length != cm::kMadBytes) continue;
    Captured mad{frame.origin, packet.path, {}};
    std::copy_n(packet.payload.data, cm::kMadBytes, mad.bytes.begin());
    mads.push_back(mad);
  }
  return mads;
}

}  // namespace

TEST_CASE("cm messages: what is written is read again, in every field", "[cm][messages]") {
  base::Rng rng(1, "messages");
  for (std::size_t i = 0; i < 50 * kMessageKinds; ++i) {
    const cm::Mad mad{rng.next(), random_message(rng, i % kMessageKinds)};
    const auto again = cm::parse_mad(emitted(mad));
    INFO(to_string(mad.message));
    REQUIRE(again.mad.has_value());
    CHECK(*again.mad == mad);
  }
}

TEST_CASE("cm messages: every bit of a message belongs to one field or is written as zero", "[cm][messages]") {
  // Whatever bytes are read, writing them again gives the same message, and only bits that are reserved change.
  base::Rng rng(2, "messages");
  for (std::size_t kind = 0; kind < kMessageKinds; ++kind) {
    Bytes random = emitted({1, random_message(rng, kind)});
    for (std::size_t i = cm::kMadHeaderBytes; i < random.size(); ++i)
      random[i] = std::byte{static_cast<std::uint8_t>(rng.next() >> 56)};
    const auto read = cm::parse_mad(random);
    REQUIRE(read.mad.has_value());
    const Bytes written = emitted(*read.mad);
    CHECK(cm::parse_mad(written).mad == read.mad);
    std::size_t changed = 0;
    for (std::size_t i = 0; i < random.size(); ++i) changed += random[i] != written[i] ? 1 : 0;
    INFO(to_string(read.mad->message));
    CHECK(changed <= 22);  // REQ has the most: 14 whole bytes, and bits in 8
  }
}

TEST_CASE("cm messages: the kernel's own are read, and written again to the bit", "[cm][messages][golden]") {
  std::map<std::string, int> kinds;
  const auto mads = captured_mads();
  REQUIRE(mads.size() >= 10);
  for (const Captured& captured : mads) {
    INFO(captured.origin);
    const auto parsed = cm::parse_mad(captured.bytes);
    REQUIRE(parsed.mad.has_value());
    ++kinds[std::string(to_string(attribute_of(parsed.mad->message)))];
    CHECK(emitted(*parsed.mad) == captured.bytes);
  }
  for (const char* kind : {"REQ", "REP", "RTU", "REJ", "DREQ", "DREP"}) CHECK(kinds[kind] > 0);
}

TEST_CASE("cm messages: a REQ of the kernel's rping says what we would say", "[cm][messages][golden]") {
  for (const Captured& captured : captured_mads()) {
    const auto parsed = cm::parse_mad(captured.bytes);
    const auto* req = std::get_if<cm::Req>(&parsed.mad->message);
    if (req == nullptr || !captured.origin.starts_with("cm_rping")) continue;
    CHECK(req->service_id == cm::service_id(cm::PortSpace::kTcp, 7174));
    CHECK(req->primary.local_gid == captured.path.source_gid);
    CHECK(req->primary.remote_gid == captured.path.destination_gid);
    CHECK(req->primary.flow_label == 0x90c92);
    CHECK(req->primary.packet_rate == 0);
    CHECK(req->primary.hop_limit == 64);
    CHECK_FALSE(req->primary.subnet_local);
    CHECK(req->primary.local_lid == 0xffff);
    CHECK(req->primary.ack_timeout == 19);
    CHECK(req->remote_response_timeout == 20);
    CHECK(req->max_cm_retries == 15);
    CHECK_FALSE(req->has_alternate());
    const auto header = cm::IpHeader::parse(req->private_data.view());
    REQUIRE(header.has_value());
    CHECK(header->ip_version == 4);
    CHECK(header->source == captured.path.source_gid);
    CHECK(header->destination == captured.path.destination_gid);
    std::array<std::byte, cm::IpHeader::kSize> again;
    header->emit(again);
    CHECK(std::equal(again.begin(), again.end(), req->private_data.bytes.begin()));
    return;
  }
  FAIL("no REQ in cm_rping.pcap");
}

TEST_CASE("cm messages: what is none says why", "[cm][messages]") {
  base::Rng rng(3, "messages");
  const Bytes good = emitted({5, random_message(rng, 0)});
  const auto error_of = [](std::span<const std::byte> bytes) {
    const auto parsed = cm::parse_mad(bytes);
    CHECK_FALSE(parsed.mad.has_value());
    return parsed.error;
  };
  const auto with = [&good](std::size_t at, unsigned value) {
    Bytes bytes = good;
    bytes[at] = static_cast<std::byte>(value);
    return bytes;
  };
  for (const std::size_t size : {0u, 1u, 23u, 24u, 255u}) {
    CHECK(error_of(std::span(good).first(size)) == cm::MadError::kLength);
  }
  CHECK(error_of(with(0, 2)) == cm::MadError::kVersion);
  CHECK(error_of(with(1, 3)) == cm::MadError::kClass);
  CHECK(error_of(with(2, 1)) == cm::MadError::kVersion);
  CHECK(error_of(with(3, 1)) == cm::MadError::kMethod);
  for (const unsigned attribute : {0x00u, 0x0fu, 0x1bu, 0xffu}) {
    CHECK(error_of(with(17, attribute)) == cm::MadError::kAttribute);
  }
  CHECK(error_of(with(16, 1)) == cm::MadError::kAttribute);
}

TEST_CASE("cm messages: who a message is for is seen without reading it", "[cm][messages]") {
  base::Rng rng(4, "messages");
  for (std::size_t kind = 0; kind < kMessageKinds; ++kind) {
    const cm::Message message = random_message(rng, kind);
    const auto receiver = cm::receiver_of(emitted({1, message}));
    INFO(to_string(message));
    std::visit(
        [&receiver](const auto& m) {
          using M = std::decay_t<decltype(m)>;
          if constexpr (std::is_same_v<M, cm::Req> || std::is_same_v<M, cm::SidrReq>) {
            CHECK_FALSE(receiver.has_value());
          } else if constexpr (std::is_same_v<M, cm::SidrRep>) {
            CHECK(receiver == m.request_id);
          } else {
            CHECK(receiver == m.remote_comm_id);
          }
        },
        message);
  }
  CHECK_FALSE(cm::receiver_of(emitted({1, cm::Rej{}})).has_value());
  CHECK_FALSE(cm::receiver_of({}).has_value());
}

TEST_CASE("cm services: a listener hears its port at its address, and the best fit wins", "[cm][service]") {
  const auto v4 = wire::Gid::from_ipv4(0x0a4d'0001), other = wire::Gid::from_ipv4(0x0a4d'0002);
  const auto v6 = *wire::parse_gid("fd77::1");
  const auto request_for = [](const wire::Gid& gid) {
    cm::IpHeader header;
    header.ip_version = gid.is_ipv4_mapped() ? 4 : 6;
    header.source = header.destination = gid;
    std::array<std::byte, cm::IpHeader::kSize> bytes;
    header.emit(bytes);
    CHECK(cm::IpHeader::parse(bytes) == header);
    return bytes;
  };
  const std::uint64_t id = cm::service_id(cm::PortSpace::kTcp, 80);
  using Family = cm::Service::Family;
  const cm::Service any{id, cm::kExactService, {}, Family::kAny};
  const cm::Service only_v4{id, cm::kExactService, {}, Family::kIpv4};
  const cm::Service at_v4{id, cm::kExactService, v4, Family::kIpv4};
  CHECK(fit(any, id, request_for(v4)) == 1);
  CHECK(fit(any, id, {}) == 1);
  CHECK(fit(any, id + 1, request_for(v4)) == 0);
  CHECK(fit(only_v4, id, request_for(v4)) == 2);
  CHECK(fit(only_v4, id, request_for(v6)) == 0);
  CHECK(fit(at_v4, id, request_for(v4)) == 3);
  CHECK(fit(at_v4, id, request_for(other)) == 0);
  CHECK(fit(at_v4, id, {}) == 0);
  auto wrong_version = request_for(v4);
  wrong_version[0] = std::byte{0x10};
  CHECK(fit(at_v4, id, wrong_version) == 0);
  // By ranges of ids, as the IBTA allows them.
  const cm::Service range{0x1000, ~0xffull, {}, Family::kAny};
  CHECK(fit(range, 0x10ff, {}) == 1);
  CHECK(fit(range, 0x1100, {}) == 0);
}

}  // namespace rocelab::test
