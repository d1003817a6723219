// Golden files: where they are, the frames of the captures, and comparing printed text with a file of the tree.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace rocelab::test {

using FrameBytes = std::vector<std::byte>;

struct GoldenFrame {
  std::string origin;  ///< "rc_send.pcap:3", for messages
  FrameBytes bytes;
};

/// A file of the source tree: ROCELAB_SOURCE_ROOT, which meson sets, or the working directory in front of it.
std::string source_path(std::string_view relative);

/// Paths of all captures in tests/golden, sorted by name.
std::vector<std::string> golden_captures();

/// All frames of a capture; an unreadable file ends the test program with a message.
std::vector<GoldenFrame> frames_of(const std::string& capture);

/// The frames of every golden capture, in order; read once.
const std::vector<GoldenFrame>& golden_frames();

/// Empty when `text` equals the file's content, else where the first difference is. With ROCELAB_UPDATE_GOLDEN=1 in the
/// environment the file is written instead.
std::string differs_from_golden(const std::string& text, std::string_view relative);

}  // namespace rocelab::test
