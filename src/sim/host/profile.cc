// The numbers of the host profiles and their sources.
#include "sim/host/profile.h"

#include <array>

namespace rocelab::sim {
namespace {

constexpr std::array<HostProfile, 3> kProfiles{{
    // Nothing but the network: what the simulators of the HPCC and htsim papers model.
    {.name = "ideal"},

    // A ConnectX-5 or -6 in a PCIe 3.0/4.0 server. The order of each step comes from the sources named; the sum is set
    // so that a small inline message takes 0.75 us one way besides the wire, where perftest's ib_send_lat and
    // ib_write_lat show some 0.8 us between two such cards back to back.
    // - A PCIe read of a few bytes takes half a microsecond and more, a posted write less than half of that:
    //   Neugebauer et al., "Understanding PCIe performance for end host networking", SIGCOMM 2018.
    // - The doorbell is such a posted write; a request small enough goes with it (BlueFlame), a larger one's payload is
    //   read by the card; one core posts and completes tens of millions of requests a second: Kalia, Kaminsky,
    //   Andersen,
    //   "Design Guidelines for High Performance RDMA Systems", USENIX ATC 2016.
    {.name = "connectx",
     .cpu_per_post = Duration::ns(40),
     .doorbell = Duration::ns(200),
     .payload_fetch = Duration::ns(550),
     .nic_transmit = Duration::ns(130),
     .nic_receive = Duration::ns(130),
     .completion_write = Duration::ns(200),
     .cpu_per_completion = Duration::ns(20),
     .cpu_per_poll = Duration::ns(15)},

    // This project's own device, whose NIC is the processor: perf/bm (encode, decode), perf/bm_verbs (posting and
    // polling) and perf/verbs_pair (one way between two processes) on the machine that perf/README.md describes. There
    // is no bus; the one-way mailbox between two processors stands for doorbell and completion.
    {.name = "soft",
     .cpu_per_post = Duration::ns(60),
     .doorbell = Duration::ns(0),
     .payload_fetch = Duration::ns(0),
     .nic_transmit = Duration::ns(120),
     .nic_receive = Duration::ns(160),
     .completion_write = Duration::ns(130),
     .cpu_per_completion = Duration::ns(40),
     .cpu_per_poll = Duration::ns(35)},
}};

}  // namespace

std::span<const HostProfile> host_profiles() { return kProfiles; }

const HostProfile* find_host_profile(std::string_view name) {
  for (const HostProfile& profile : kProfiles) {
    if (profile.name == name) return &profile;
  }
  return nullptr;
}

}  // namespace rocelab::sim
