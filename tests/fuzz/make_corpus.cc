// make_corpus FOLDER: what the fuzzers start from. FOLDER/frames gets every golden packet and one random packet of each
// opcode in each encapsulation, a file each; FOLDER/captures the golden captures and small ones in the other formats;
// FOLDER/scripts random scripts for the engine and for connections; FOLDER/mads a management datagram of each kind;
// FOLDER/topologies the sample files of tests/golden/sim, each behind a
// byte that names its format.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/rng.h"
#include "net/pcapng_writer.h"
#include "tests/cm/random_message.h"
#include "tests/net/capture_file.h"
#include "tests/support/golden.h"
#include "tests/support/random_packet.h"

namespace rocelab::fuzz {
namespace {

void save(const std::filesystem::path& path, const std::vector<std::byte>& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

std::vector<std::vector<std::byte>> random_frames() {
  std::vector<std::vector<std::byte>> frames;
  base::Rng rng(1, "fuzz.corpus");
  for (const wire::Encapsulation encapsulation : test::kEncapsulations) {
    for (const wire::Opcode opcode : test::all_opcodes()) {
      frames.push_back(
          test::encoded(test::random_packet(rng, encapsulation, rng.chance(1, 3), opcode, rng.below(40)).packet));
    }
  }
  return frames;
}

void make_frames(const std::filesystem::path& folder) {
  for (const test::GoldenFrame& frame : test::golden_frames()) save(folder / frame.origin, frame.bytes);
  unsigned number = 0;
  for (const auto& frame : random_frames()) save(folder / ("random-" + std::to_string(++number)), frame);
}

void make_captures(const std::filesystem::path& folder) {
  using net::CaptureFile;
  namespace capture = net::capture;
  for (const std::string& path : test::golden_captures()) {
    std::filesystem::copy_file(path, folder / std::filesystem::path(path).filename());
  }
  const std::vector<std::byte> frame = random_frames().front();
  const auto bytes = static_cast<std::uint32_t>(frame.size());
  for (const bool swapped : {false, true}) {
    const std::string order = swapped ? "swapped" : "native";
    CaptureFile nanoseconds(swapped);
    nanoseconds.pcap_header(capture::kPcapNanoseconds).pcap_record(1, 2, frame, bytes);
    save(folder / ("nanoseconds-" + order + ".pcap"), nanoseconds.bytes());
    CaptureFile blocks(swapped);
    blocks.section().interface().interface_with_clock(9, 5).enhanced_packet(1, 7, frame);
    blocks.begin(capture::kSimplePacket).put(bytes).put_bytes(frame, true).end();
    blocks.begin(capture::kObsoletePacket).put<std::uint16_t>(1).put<std::uint16_t>(0).put(0u).put(5u);
    blocks.put(bytes).put(bytes).put_bytes(frame, true).end();
    save(folder / ("blocks-" + order + ".pcapng"), blocks.bytes());
  }
  auto writer = net::PcapngWriter::create((folder / "written.pcapng").string());
  if (!writer) return;
  const auto interface = writer->add_interface("corpus");
  writer->append(interface, 1, net::CaptureDirection::kInbound, frame);
  writer->append(interface, 2, net::CaptureDirection::kOutbound, frame);
}

void make_scripts(const std::filesystem::path& folder) {
  base::Rng rng(2, "fuzz.scripts");
  for (unsigned number = 1; number <= 64; ++number) {
    std::vector<std::byte> bytes(200 + static_cast<std::size_t>(rng.below(1800)));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(rng.next());
    save(folder / std::to_string(number), bytes);
  }
}

void make_mads(const std::filesystem::path& folder) {
  base::Rng rng(3, "fuzz.mads");
  for (std::size_t kind = 0; kind < test::kMessageKinds; ++kind) {
    std::vector<std::byte> bytes(cm::kMadBytes);
    cm::emit_mad({rng.next(), test::random_message(rng, kind)}, std::span<std::byte, cm::kMadBytes>(bytes));
    save(folder / std::to_string(kind), bytes);
  }
}

void make_topologies(const std::filesystem::path& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(test::source_path("tests/golden/sim"))) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const std::string format = entry.path().extension().string();
    const std::byte kind{format == ".txt"    ? std::uint8_t{0}
                         : format == ".topo" ? std::uint8_t{1}
                         : format == ".toml" ? std::uint8_t{2}
                                             : std::uint8_t{3}};
    std::vector<std::byte> bytes{kind};
    for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
    save(folder / entry.path().filename(), bytes);
  }
}

}  // namespace
}  // namespace rocelab::fuzz

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_corpus FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  for (const char* name : {"frames", "captures", "scripts", "mads", "topologies"}) {
    std::filesystem::remove_all(folder / name);
    std::filesystem::create_directories(folder / name);
  }
  rocelab::fuzz::make_frames(folder / "frames");
  rocelab::fuzz::make_captures(folder / "captures");
  rocelab::fuzz::make_scripts(folder / "scripts");
  rocelab::fuzz::make_mads(folder / "mads");
  rocelab::fuzz::make_topologies(folder / "topologies");
  return 0;
}
