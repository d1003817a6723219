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

    // This project's own device between two processes of one machine, whose NIC is the processor: perf/soft_profile
    // sets
    // it beside the real one. A request posted alone costs the poster its packet, ICRC and all, and the doorbell's trip
    // to the other processor (a posted receive costs less; both count the same here); there is no bus. What a processor
    // can copy and check (perf/limits) bounds the bandwidth: the scenario's links are to have that rate, some 60 Gb/s.
    {.name = "soft",
     .cpu_per_post = Duration::ns(400),
     .doorbell = Duration::ns(50),
     .payload_fetch = Duration::ns(0),
     .nic_transmit = Duration::ns(0),
     .nic_receive = Duration::ns(100),
     .completion_write = Duration::ns(50),
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
