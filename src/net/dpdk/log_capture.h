// DPDK's log lines: handed to the sink of eal.h, or, while a LogCapture exists in the thread, kept so that a failure
// can be told with DPDK's own reason. Errors only; DPDK prints nothing by itself. Used by the ports of this folder.
#pragma once

#include <string>

namespace rocelab::net::dpdk {

/// Must not outlive the scope that made it, nor be nested.
class LogCapture {
 public:
  LogCapture();
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  /// `what`, followed by what DPDK said meanwhile.
  std::string explain(std::string what) const;

 private:
  std::string text_;
};

/// Makes DPDK write to us; before rte_eal_init. False: no memory.
bool route_log();

}  // namespace rocelab::net::dpdk
