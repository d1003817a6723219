// `rocelab pcap`: its lines, what it says about bad packets of every encapsulation, and its exit status.
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/rng.h"
#include "cli/pcap_report.h"
#include "net/pcapng_writer.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/support/random_packet.h"
#include "tests/support/scratch_folder.h"

namespace rocelab::cli {

using test::ScratchFolder;

namespace {

using test::FrameBytes;
using wire::Encapsulation;

struct Report {
  std::string error;
  PcapSummary summary;
  std::vector<std::string> lines;
};

Report report(const std::string& path) {
  Report result;
  const auto summary = report_capture(path, [&result](std::string_view line) { result.lines.emplace_back(line); });
  if (summary) {
    result.summary = *summary;
  } else {
    result.error = summary.error();
  }
  return result;
}

/// Writes the frames to a capture, a millisecond apart, and returns its path.
std::string capture(const ScratchFolder& folder, const std::vector<FrameBytes>& frames) {
  auto writer = net::PcapngWriter::create((folder.path() / "test.pcapng").string());
  REQUIRE(writer.has_value());
  const auto interface = writer->add_interface("test");
  std::uint64_t ns = 1'700'000'000'000'000'000;
  for (const FrameBytes& frame : frames) {
    writer->append(interface, ns, net::CaptureDirection::kInbound, frame);
    ns += 1'000'000;
  }
  return writer->path();
}

FrameBytes good_frame(Encapsulation encapsulation, bool vlan = false) {
  base::Rng rng(1, "cli.pcap");
  return test::encoded(test::random_packet(rng, encapsulation, vlan, wire::Opcode::kRcRdmaWriteOnly, 41).packet);
}

FrameBytes bad_icrc(FrameBytes frame) {
  frame.back() ^= std::byte{1};
  return frame;
}

bool contains(const std::string& text, const std::string& what) { return text.find(what) != std::string::npos; }

struct Command {
  int status = -1;
  std::string output;  // both streams
};

/// Runs `rocelab pcap ARGUMENTS`.
Command run(const std::string& arguments) {
  const char* rocelab = std::getenv("ROCELAB_EXECUTABLE");
  REQUIRE(rocelab != nullptr);
  Command result;
  std::FILE* pipe = ::popen((std::string(rocelab) + " pcap " + arguments + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  char buffer[4096];
  for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) result.output.append(buffer, n);
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) result.status = WEXITSTATUS(status);
  return result;
}

}  // namespace

TEST_CASE("rocelab pcap: every golden capture is good, a line for each packet", "[cli][pcap][golden]") {
  for (const std::string& path : test::golden_captures()) {
    INFO(path);
    const Report got = report(path);
    REQUIRE(got.error == "");
    CHECK(got.summary.bad == 0);
    CHECK(got.summary.roce == got.summary.packets);
    CHECK(got.lines.size() == got.summary.packets);
    CHECK(contains(to_string(got.summary), "every ICRC right"));
  }
}

TEST_CASE("rocelab pcap: a line has the packet's number, the time since the first, and the headers", "[cli][pcap]") {
  const Report got = report(test::source_path("tests/golden/rc_atomic.pcap"));
  REQUIRE(got.lines.size() == 8);
  CHECK(
      got.lines[0] ==
      "     1  0.000000000 RoCEv2 10.77.0.1 > 10.77.0.2 RC_COMPARE_SWAP qp 0x64 psn 659456 A va 0x38514000 rkey 0x356f "
      "swap/add 0x1122334455667788 compare 0x102030405060708");
  CHECK(got.lines[1].substr(0, 20) == "     2  0.000904000 ");
}

TEST_CASE("rocelab pcap: a wrong ICRC is found in every encapsulation, tagged or not", "[cli][pcap][icrc]") {
  for (const Encapsulation encapsulation : test::kEncapsulations) {
    for (const bool vlan : {false, true}) {
      const ScratchFolder folder;
      const FrameBytes good = good_frame(encapsulation, vlan);
      const Report got = report(capture(folder, {good, bad_icrc(good), good, bad_icrc(good)}));
      REQUIRE(got.lines.size() == 4);
      CHECK(got.summary.bad == 2);
      CHECK(got.summary.listed == std::vector<std::uint64_t>{2, 4});
      CHECK_FALSE(contains(got.lines[0], "BAD"));
      const std::size_t at = got.lines[1].find(" BAD ICRC 0x");
      REQUIRE(at != std::string::npos);
      // The same packet otherwise: only the number and the time differ before it.
      CHECK(got.lines[1].substr(20, at - 20) == got.lines[0].substr(20));
      // The right one is the good frame's, least significant byte first.
      const auto byte = [&good](std::size_t from_end) {
        return std::to_integer<unsigned>(good[good.size() - from_end]);
      };
      char right[11];
      std::snprintf(right, sizeof right, "0x%02x%02x%02x%02x", byte(1), byte(2), byte(3), byte(4));
      CHECK(contains(got.lines[1], std::string(" instead of ") + right));
      CHECK(to_string(got.summary) == "4 packets, 4 of RoCE, 2 BAD: packet 2, 4");
    }
  }
}

TEST_CASE("rocelab pcap: malformed RoCE is bad, other traffic is not looked at", "[cli][pcap]") {
  const ScratchFolder folder;
  const FrameBytes good = good_frame(Encapsulation::kRoceV2Ipv4);
  FrameBytes malformed = good;
  malformed[14 + 28] = std::byte{0x7f};  // no such opcode
  FrameBytes arp(60);
  arp[12] = std::byte{0x08};
  arp[13] = std::byte{0x06};
  FrameBytes dns = good;
  dns[14 + 22] = std::byte{0};
  dns[14 + 23] = std::byte{53};
  const Report got = report(capture(folder, {arp, malformed, dns, good}));
  REQUIRE(got.lines.size() == 2);
  CHECK(contains(got.lines[0], "MALFORMED unknown_opcode"));
  CHECK(got.summary.listed == std::vector<std::uint64_t>{2});
  CHECK(got.summary.packets == 4);
  CHECK(got.summary.roce == 2);
}

TEST_CASE("rocelab pcap: a packet that the capture has cut is not called bad", "[cli][pcap]") {
  const ScratchFolder folder;
  const std::string path = (folder.path() / "cut.pcap").string();
  const FrameBytes frame = good_frame(Encapsulation::kRoceV1);
  {
    std::ofstream file(path, std::ios::binary);
    const auto put = [&file](std::uint32_t value) { file.write(reinterpret_cast<const char*>(&value), 4); };
    for (const std::uint32_t word : {0xa1b2c3d4u, 0x00040002u, 0u, 0u, 64u, 1u}) put(word);
    for (const std::uint32_t word : {1u, 0u, 64u, static_cast<std::uint32_t>(frame.size())}) put(word);
    file.write(reinterpret_cast<const char*>(frame.data()), 64);
  }
  const Report got = report(path);
  REQUIRE(got.error == "");
  REQUIRE(got.lines.size() == 1);
  CHECK(contains(got.lines[0], "cut by the capture: 64 of " + std::to_string(frame.size()) + " bytes"));
  CHECK(got.summary.bad == 0);
  CHECK(to_string(got.summary) == "1 packets, 1 of RoCE, 1 cut by the capture and not checked");
}

TEST_CASE("rocelab pcap: many bad packets are counted, the first are listed", "[cli][pcap]") {
  const ScratchFolder folder;
  const Report got = report(capture(folder, std::vector<FrameBytes>(50, bad_icrc(good_frame(Encapsulation::kRoceV1)))));
  CHECK(got.summary.bad == 50);
  CHECK(got.summary.listed.size() == PcapSummary::kListedMax);
  CHECK(contains(to_string(got.summary), "50 BAD: packet 1, 2, 3"));
  CHECK(contains(to_string(got.summary), "20, ..."));
}

TEST_CASE("rocelab pcap: the exit status is 0 when all is good, 1 for a bad packet, 2 for what is no capture",
          "[cli][pcap]") {
  const std::string golden = test::source_path("tests/golden/rc_send.pcap");
  const Command good = run(golden);
  CHECK(good.status == 0);
  CHECK(contains(good.output, "rc_send.pcap: "));
  CHECK(contains(good.output, "every ICRC right"));

  const ScratchFolder folder;
  for (const Encapsulation encapsulation : test::kEncapsulations) {
    const std::string bad = capture(folder, {good_frame(encapsulation), bad_icrc(good_frame(encapsulation))});
    const Command got = run(golden + " " + bad);
    CHECK(got.status == 1);
    CHECK(contains(got.output, "BAD: packet 2"));
  }

  const Command text = run(test::source_path("README.md"));
  CHECK(text.status == 2);
  CHECK(contains(text.output, "README.md: not a capture (neither pcap nor pcapng)"));
  const Command missing = run("/nonexistent.pcap " + golden);
  CHECK(missing.status == 2);
  CHECK(contains(missing.output, "rocelab pcap: /nonexistent.pcap: No such file or directory"));
  CHECK(contains(missing.output, "every ICRC right"));  // the other file is still read
  CHECK(run("").status == 2);
  CHECK(run("--quiet " + golden).output.find("RC_SEND") == std::string::npos);
}

TEST_CASE("rocelab pcap: a capture whose writer was killed in mid-write is read to its end", "[cli][pcap]") {
  const ScratchFolder folder;
  const std::string path = capture(folder, {good_frame(Encapsulation::kRoceV1), good_frame(Encapsulation::kRoceV1)});
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 10);
  const Command got = run(path);
  CHECK(got.status == 0);
  CHECK(contains(got.output, "1 packets, 1 of RoCE, every ICRC right; the file ends in the middle of a packet"));
}

}  // namespace rocelab::cli
