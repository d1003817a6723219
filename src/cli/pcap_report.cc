// See pcap_report.h.
#include "cli/pcap_report.h"

#include <fmt/format.h>

#include <optional>

#include "net/capture_reader.h"
#include "net/frame_codec.h"
#include "roce_v1/encapsulation.h"
#include "roce_v2/encapsulation.h"
#include "wire/ethernet.h"

namespace rocelab::cli {

namespace {

using wire::Encapsulation;
using wire::FrameError;

/// Seconds since the first packet that has a time, as "0.000012345"; a packet may be older than the first.
std::string elapsed(std::uint64_t epoch_ns, std::uint64_t first_ns) {
  const bool earlier = epoch_ns < first_ns;
  const std::uint64_t ns = earlier ? first_ns - epoch_ns : epoch_ns - first_ns;
  return fmt::format("{}{}.{:09}", earlier ? "-" : "", ns / 1'000'000'000, ns % 1'000'000'000);
}

/// The ICRC that the packet should have had, after decoding found another one: "0x12345678 instead of 0x87654321".
std::string wrong_icrc(std::span<const std::byte> frame, const wire::Packet& packet) {
  const std::size_t network = wire::EthernetHeader::kSize + (packet.path.has_vlan ? wire::VlanTag::kSize : 0);
  const std::byte* const at = packet.payload.data + packet.payload.length + packet.bth.pad_count;
  const std::byte* const start = frame.data() + network;
  const auto bytes = static_cast<std::size_t>(at - start);
  std::uint32_t right = 0;
  switch (packet.path.encapsulation) {
    case Encapsulation::kRoceV1:
      right = roce_v1::icrc(start, bytes);
      break;
    case Encapsulation::kRoceV2Ipv4:
      right = roce_v2::icrc_ipv4(start, bytes);
      break;
    case Encapsulation::kRoceV2Ipv6:
      right = roce_v2::icrc_ipv6(start, bytes);
      break;
  }
  const auto found = wire::swap_bytes(wire::load_be<std::uint32_t>(at));
  return fmt::format("{:#010x} instead of {:#010x}", found, right);
}

}  // namespace

base::TextResult<PcapSummary> report_capture(const std::string& path,
                                             const std::function<void(std::string_view)>& print) {
  auto reader = net::CaptureReader::open(path);
  if (!reader) return base::fail_text(reader.error());
  PcapSummary summary;
  std::optional<std::uint64_t> first_ns;
  net::CapturedFrame frame;
  for (;;) {
    const auto more = reader->next(frame);
    if (!more) return base::fail_text(more.error());
    if (!*more) break;
    ++summary.packets;
    if (!first_ns && frame.epoch_ns != 0) first_ns = frame.epoch_ns;

    wire::Packet packet;
    const auto decoded = net::decode_frame(frame.bytes, packet);
    if (!decoded && decoded.error() == FrameError::kNotRoce) continue;
    ++summary.roce;
    const std::string start =
        fmt::format("{:6} {:>12} ", frame.number, frame.epoch_ns == 0 ? "-" : elapsed(frame.epoch_ns, *first_ns));
    if (decoded) {
      print(start + to_string(packet));
      continue;
    }
    if (frame.original_length > frame.bytes.size()) {
      ++summary.cut;
      print(start + fmt::format("cut by the capture: {} of {} bytes", frame.bytes.size(), frame.original_length));
      continue;
    }
    ++summary.bad;
    if (summary.listed.size() < PcapSummary::kListedMax) summary.listed.push_back(frame.number);
    if (decoded.error() == FrameError::kBadIcrc) {
      print(start + to_string(packet) + " BAD ICRC " + wrong_icrc(frame.bytes, packet));
    } else {
      print(start + fmt::format("MALFORMED {}, {} bytes", name(decoded.error()), frame.bytes.size()));
    }
  }
  summary.cut_short = reader->cut_short();
  return summary;
}

std::string to_string(const PcapSummary& summary) {
  std::string text = fmt::format("{} packets, {} of RoCE", summary.packets, summary.roce);
  if (summary.cut != 0) text += fmt::format(", {} cut by the capture and not checked", summary.cut);
  if (summary.bad == 0) {
    if (summary.roce > summary.cut) text += summary.cut == 0 ? ", every ICRC right" : ", every other ICRC right";
  } else {
    text += fmt::format(", {} BAD: packet", summary.bad);
    for (std::size_t i = 0; i < summary.listed.size(); ++i) {
      text += fmt::format("{} {}", i == 0 ? "" : ",", summary.listed[i]);
    }
    if (summary.bad > summary.listed.size()) text += ", ...";
  }
  if (summary.cut_short) text += "; the file ends in the middle of a packet";
  return text;
}

}  // namespace rocelab::cli
