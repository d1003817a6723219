// See report.h. Figures in MB/s are of 2^20 bytes, as perftest's.
#include "perftest/report.h"

#include <fmt/format.h>

namespace rocelab::perftest {
namespace {

constexpr double kMegabyte = 1 << 20;

std::string address(const char* side, const Address& at) {
  std::string gid;
  for (std::size_t i = 0; i < sizeof(at.gid); ++i) gid += fmt::format("{}{:02}", i == 0 ? "" : ":", at.gid[i]);
  return fmt::format(" {} address: LID 0000 QPN {:#06x} PSN {:#08x} RKey {:#08x} VAddr {:#018x}\n GID: {}\n", side,
                     at.qpn, at.psn, at.rkey, at.buffer, gid);
}

const char* title(Verb verb) {
  switch (verb) {
    case Verb::kWrite:
      return "RDMA_Write";
    case Verb::kRead:
      return "RDMA_Read";
    case Verb::kSend:
      return "Send";
    case Verb::kAtomic:
      return "Atomic FETCH_AND_ADD";
  }
  return "";
}

}  // namespace

std::string rule() { return std::string(87, '-') + "\n"; }

std::string heading(const Options& options, const Endpoint& end) {
  const bool bandwidth = options.measure == Measure::kBandwidth;
  std::string text = rule();
  text += fmt::format("                    {} {} Test\n", title(options.verb), bandwidth ? "BW" : "Latency");
  text += fmt::format(" Dual-port       : OFF\t\tDevice         : {}\n", end.device_name());
  text += " Number of qps   : 1\t\tTransport type : IB\n";
  text += " Connection type : RC\t\tUsing SRQ      : OFF\n";
  text += " ibv_wr* API     : OFF\n";
  text += fmt::format(" TX depth        : {}\n", end.depth());
  if (bandwidth) text += " CQ Moderation   : 1\n";
  text += fmt::format(" Mtu             : {}[B]\n", end.mtu());
  text += " Link type       : Ethernet\n";
  text += fmt::format(" GID index       : {}\n", options.gid_index);
  if (options.verb == Verb::kRead || options.verb == Verb::kAtomic) {
    text += fmt::format(" Outstand reads  : {}\n", kReadsMax);
  } else {
    text += fmt::format(" Max inline data : {}[B]\n", end.max_inline());
  }
  text += " rdma_cm QPs\t : OFF\n Data ex. method : Ethernet\n";
  text += rule();
  text += address("local", end.local());
  text += address("remote", end.remote());
  text += rule();
  text += bandwidth
              ? " #bytes     #iterations    BW peak[MB/sec]    BW average[MB/sec]   MsgRate[Mpps]\n"
              : " #bytes #iterations    t_min[usec]    t_max[usec]  t_typical[usec]    t_avg[usec]    t_stdev[usec]   "
                "99% percentile[usec]   99.9% percentile[usec] \n";
  return text;
}

std::string to_line(const BandwidthLine& line) {
  return fmt::format(" {:<7}    {:<10}       {:<7.2f}            {:<7.2f}\t\t   {:<7.6f}\n", line.bytes,
                     line.iterations, line.peak_bytes_per_s / kMegabyte, line.average_bytes_per_s / kMegabyte,
                     line.messages_per_s / 1e6);
}

std::string to_line(const LatencyLine& line) {
  return fmt::format(
      " {:<7} {:<10}      {:<7.2f}        {:<7.2f}      {:<7.2f}  \t       {:<7.2f}     \t{:<7.2f}\t\t{:<7.2f} "
      "\t\t{:<7.2f}\n",
      line.bytes, line.iterations, line.min_us, line.max_us, line.typical_us, line.average_us, line.deviation_us,
      line.p99_us, line.p999_us);
}

}  // namespace rocelab::perftest
