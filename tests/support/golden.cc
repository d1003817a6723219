// See golden.h.
#include "tests/support/golden.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "net/capture_reader.h"

namespace rocelab::test {

namespace {

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace

std::string source_path(std::string_view relative) {
  const char* root = std::getenv("ROCELAB_SOURCE_ROOT");
  return (std::filesystem::path(root != nullptr ? root : ".") / relative).string();
}

std::vector<std::string> golden_captures() {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(source_path("tests/golden"), error)) {
    if (entry.path().extension() == ".pcap") paths.push_back(entry.path().string());
  }
  if (paths.empty()) give_up("no captures in tests/golden: start the test in the tree or set ROCELAB_SOURCE_ROOT");
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<GoldenFrame> frames_of(const std::string& capture) {
  auto reader = net::CaptureReader::open(capture);
  if (!reader) give_up(reader.error());
  std::vector<GoldenFrame> frames;
  net::CapturedFrame frame;
  for (;;) {
    const auto more = reader->next(frame);
    if (!more) give_up(more.error());
    if (!*more) return frames;
    frames.push_back({std::filesystem::path(capture).filename().string() + ":" + std::to_string(frame.number),
                      FrameBytes(frame.bytes.begin(), frame.bytes.end())});
  }
}

const std::vector<GoldenFrame>& golden_frames() {
  static const std::vector<GoldenFrame> frames = [] {
    std::vector<GoldenFrame> all;
    for (const std::string& capture : golden_captures()) {
      for (GoldenFrame& frame : frames_of(capture)) all.push_back(std::move(frame));
    }
    return all;
  }();
  return frames;
}

std::string differs_from_golden(const std::string& text, std::string_view relative) {
  const std::string path = source_path(relative);
  if (const char* update = std::getenv("ROCELAB_UPDATE_GOLDEN"); update != nullptr && *update == '1') {
    std::ofstream(path) << text;
    return {};
  }
  std::ifstream file(path);
  if (!file) return path + ": can't be read";
  std::stringstream content;
  content << file.rdbuf();
  if (content.str() == text) return {};
  const auto expected = lines_of(content.str());
  const auto actual = lines_of(text);
  for (std::size_t i = 0; i < std::max(expected.size(), actual.size()); ++i) {
    const std::string want = i < expected.size() ? expected[i] : "(nothing)";
    const std::string have = i < actual.size() ? actual[i] : "(nothing)";
    if (want != have) return path + ":" + std::to_string(i + 1) + ": expected\n  " + want + "\nbut it is\n  " + have;
  }
  return path + ": differs in its line ends";
}

}  // namespace rocelab::test
