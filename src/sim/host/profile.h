// What a host and its NIC cost in virtual time: each step between a program and the wire is a delay. Named profiles, so
// that a scenario says `profile = "connectx"`; the numbers and where they come from are in profile.cc.
#pragma once

#include <span>
#include <string_view>

#include "base/time.h"

namespace rocelab::sim {

using base::Duration;

struct HostProfile {
  std::string_view name;
  Duration cpu_per_post{};        ///< the program's own work for one request; requests of a host follow one another
  Duration doorbell{};            ///< from the program's write until the NIC has the request
  Duration payload_fetch{};       ///< the NIC's read of the message's first bytes from memory; not for inline data
  Duration nic_transmit{};        ///< the NIC's pipeline on the way out
  Duration nic_receive{};         ///< the NIC's pipeline on the way in, to the transport's decision
  Duration completion_write{};    ///< from that decision until payload and completion are in memory
  Duration cpu_per_completion{};  ///< the program's own work for one completion
  Duration cpu_per_poll{};        ///< looking at an empty completion queue

  /// From the end of the program's work to the first packet.
  constexpr Duration post_delay(bool is_inline) const {
    return doorbell + nic_transmit + (is_inline ? Duration() : payload_fetch);
  }
};

/// `ideal`, `connectx`, `soft`.
std::span<const HostProfile> host_profiles();
/// nullptr: there is none of that name.
const HostProfile* find_host_profile(std::string_view name);

}  // namespace rocelab::sim
