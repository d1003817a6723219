// What `rocelab pcap` says about a capture file: a line for each RoCE packet, its ICRC checked. Apart from the command,
// so that tests see the lines.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rocelab::cli {

struct PcapSummary {
  static constexpr std::size_t kListedMax = 20;

  std::uint64_t packets = 0;  ///< in the file, whatever they are
  std::uint64_t roce = 0;     ///< of these, RoCE v1 or v2, good or bad
  std::uint64_t bad = 0;      ///< of these, with a wrong ICRC or malformed
  std::uint64_t cut = 0;      ///< of RoCE's, shortened by the capture, so that nothing can be said about them
  bool cut_short = false;     ///< the file ends in the middle of a record: its writer was killed or still writes
  std::vector<std::uint64_t> listed;  ///< numbers of the first kListedMax bad packets
};

/// Calls print() with each line, without its end. An unreadable file, or one that is no capture, is a sentence; so is
/// one that turns out damaged, after the lines of what came before.
base::TextResult<PcapSummary> report_capture(const std::string& path,
                                             const std::function<void(std::string_view)>& print);

/// "FILE: 12 packets, 10 of RoCE, every ICRC right" or what else is to be said at the end.
std::string to_string(const PcapSummary& summary);

}  // namespace rocelab::cli
