// See recording.h.
#include "tests/rxe/replay/recording.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "net/frame_codec.h"
#include "tests/support/golden.h"
#include "wire/gid.h"

namespace rocelab::test::replay {

namespace {

using Json = nlohmann::json;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

/// A number written as 12, "12" or "0x0c".
std::uint64_t number(const Json& value) {
  if (value.is_string()) return std::stoull(value.get<std::string>(), nullptr, 0);
  return value.is_number() ? value.get<std::uint64_t>() : 0;
}

Party party(const Json& json) {
  Party made;
  made.qpn = static_cast<rxe::Qpn>(number(json.at("qpn")));
  made.start_psn = static_cast<std::uint32_t>(number(json.at("start_psn")));
  made.rkey = static_cast<std::uint32_t>(number(json.at("rkey")));
  made.buffer = number(json.at("buf_addr"));
  const auto gid = wire::parse_gid(json.at("gid").get<std::string>());
  if (!gid) die("no GID: " + json.at("gid").dump());
  made.gid = *gid;
  return made;
}

rxe::PathMtu mtu_of(std::uint64_t bytes) {
  for (unsigned code = 1; code <= 5; ++code) {
    if (rxe::mtu_bytes(static_cast<rxe::PathMtu>(code)) == bytes) return static_cast<rxe::PathMtu>(code);
  }
  die("no path MTU: " + std::to_string(bytes));
}

RecordedCompletion completion(const Json& json) {
  RecordedCompletion made;
  made.at_a = json.at("dev") == "rxeA";
  made.wr_id = number(json.at("wr_id"));
  made.is_receive = made.wr_id >= 100;  // the recording program numbers requests from 1 and receives from 100
  made.status = json.at("status").get<int>();
  made.byte_len = static_cast<std::uint32_t>(number(json.at("byte_len")));
  made.has_immediate = made.is_receive && (number(json.at("wc_flags")) & rxe::wc_flag::kWithImm) != 0;
  if (json.contains("imm")) made.immediate = static_cast<std::uint32_t>(number(json.at("imm")));
  return made;
}

}  // namespace

std::vector<RecordedCompletion> Recording::of(bool at_a, bool receives) const {
  std::vector<RecordedCompletion> chosen;
  for (const RecordedCompletion& each : completions) {
    if (each.at_a == at_a && each.is_receive == receives) chosen.push_back(each);
  }
  return chosen;
}

Recording load(const std::string& name) {
  const std::string base = source_path("tests/golden/" + name);
  std::ifstream file(base + ".json");
  if (!file) die("cannot read " + base + ".json");
  const Json json = Json::parse(file);
  Recording recording;
  recording.name = name;
  const std::string transport = json.at("transport").get<std::string>();
  recording.type = transport == "RC" ? rxe::QpType::kRc : transport == "UC" ? rxe::QpType::kUc : rxe::QpType::kUd;
  recording.mtu = mtu_of(number(json.at("path_mtu")));
  recording.qkey = static_cast<std::uint32_t>(number(json.at("qkey")));
  recording.a = party(json.at("A"));
  recording.b = party(json.at("B"));
  if (json.contains("detail") && json.at("detail").is_object() && json.at("detail").contains("mw_rkey")) {
    recording.window_rkey = static_cast<std::uint32_t>(number(json.at("detail").at("mw_rkey")));
  }
  if (json.contains("detail") && json.at("detail").is_object() && json.at("detail").contains("recv_grh_40_bytes")) {
    recording.grh_areas = json.at("detail").at("recv_grh_40_bytes").get<std::vector<std::string>>();
  }
  for (const Json& each : json.at("completions")) {
    if (each.contains("status")) recording.completions.push_back(completion(each));  // else: "no completion in 1s"
  }
  for (const GoldenFrame& frame : frames_of(base + ".pcap")) {
    wire::Packet packet{};
    if (!net::decode_frame(frame.bytes, packet)) continue;  // ARP and neighbour discovery
    recording.steps.push_back({packet.path.source_gid == recording.a.gid, OwnedPacket(packet)});
  }
  return recording;
}

std::vector<std::string> scenarios() {
  std::vector<std::string> names;
  for (const std::string& path : golden_captures()) {
    const std::string name = std::filesystem::path(path).stem().string();
    if (name.starts_with("rc_") || name.starts_with("uc_") || name.starts_with("ud_")) names.push_back(name);
  }
  return names;
}

}  // namespace rocelab::test::replay
