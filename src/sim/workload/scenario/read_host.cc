// [host] and [transport].
#include <fmt/format.h>

#include "sim/workload/scenario/readers.h"

namespace rocelab::sim {

namespace {

constexpr std::uint64_t kBytesMax = 1u << 30;

}  // namespace

void read_host(Section section, Scenario& out) {
  HostOptions& h = out.hosts;
  std::string profile = "connectx";
  section.text("profile", profile);
  if (const HostProfile* found = find_host_profile(profile); found != nullptr) {
    h.profile = *found;
  } else {
    std::string names;
    for (const HostProfile& known : host_profiles()) names += (names.empty() ? "" : ", ") + std::string(known.name);
    section.fail("profile", fmt::format("`{}` is not one of {}", profile, names));
  }
  section.choose<PayloadMode>(
      "payload", h.payload,
      {{"elided", PayloadMode::kElided}, {"real", PayloadMode::kReal}, {"wire_exact", PayloadMode::kWireExact}});
  section.text("capture", out.capture_path);
  if (!out.capture_path.empty() && h.payload != PayloadMode::kWireExact) {
    section.fail("capture", "needs `payload = \"wire_exact\"`");
  }
  if (!out.capture_path.empty() && out.capture_path.find("%h") == std::string::npos) {
    section.fail("capture", "must have %h where the host's name stands");
  }
  h.capture_path = out.capture_path;
  section.small("receive_buffer", h.buffer_bytes, {16'384, kBytesMax});
  section.small("xoff", h.xoff_bytes, {1, kBytesMax});
  section.small("xon", h.xon_bytes, {0, kBytesMax});
  if (h.xon_bytes >= h.xoff_bytes) section.fail("xon", "must be less than `xoff`");
  if (h.xoff_bytes >= h.buffer_bytes) section.fail("xoff", "must be less than `receive_buffer`");
  section.finish();
}

void read_transport(Section section, Scenario& out) {
  TransportSettings& t = out.transport;
  rxe::DeviceOptions& engine = out.hosts.engine;
  section.choose<rxe::QpType>("service", t.service, {{"rc", rxe::QpType::kRc}, {"uc", rxe::QpType::kUc}});
  section.number("mtu", t.mtu_bytes, {256, 4096});
  if ((t.mtu_bytes & (t.mtu_bytes - 1)) != 0) section.fail("mtu", "must be 256, 512, 1024, 2048 or 4096");
  section.number("payload", t.payload_bytes, {0, 9000});
  engine.payload_bytes = static_cast<std::uint32_t>(t.payload_bytes);
  read_congestion(section, out);
  section.small("priority", t.priority, {0, 7});
  section.small("control_priority", engine.control_priority, {0, 7});
  section.choose<std::uint8_t>("version", t.gid_index, {{"v2", 0}, {"v1", 1}});
  section.small("ack_timeout", t.timeout, {0, 31});
  section.small("retry_count", t.retry_count, {0, 7});
  section.small("ack_interval", engine.ack_interval, {1, 1u << 22});
  section.choose<rxe::AckPolicy>(
      "acks", engine.ack_policy,
      {{"coalesced", rxe::AckPolicy::kCoalesced}, {"every_packet", rxe::AckPolicy::kEveryPacket}});
  section.boolean("ecn_echo", engine.ecn_echo);
  section.finish();
}

}  // namespace rocelab::sim
