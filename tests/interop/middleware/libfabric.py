"""libfabric over rocelab: libfabric.py ROCELAB MODE. `list`: fi_info shows our device in all its shapes. Else the provider and
the endpoint of a fi_pingpong that checks every message it gets: `verbs msg` (RC, by librdmacm), `verbs;ofi_rxm rdm` (reliable
datagrams on top of it), `verbs dgram` (UD) and `verbs;ofi_rxd rdm` (reliable datagrams on top of that)."""
import re
import sys
import time

from machine import counters, grown, main, skip_unless

import sides

SIZES = ("64", "256", "1k", "4k", "64k", "1m")
DATAGRAM_SIZES = SIZES[:4]  # what fits into one packet
ITERATIONS = 20


# ofi_rxm looks for completions first and for the peer's farewell then. A side that loses the processor in between takes
# the farewell for the end of messages that have arrived: it says so, or waits for ever. It looks for farewells every
# 10 ms, which is also how long a busy machine takes a processor away; meson.build has it look every second.
FAREWELL = "cq_readerr: Work Request Flushed Error"
RUN = 'fi_pingpong "$@"; echo "ended with $?"'


def listing(machine):
    output = machine.run_alone("fi_info", ["-p", "verbs"])
    wrong = []
    for provider, domain, shape in (("verbs", "rocelab0", "FI_EP_MSG"), ("verbs", "rocelab0-dgram", "FI_EP_DGRAM"),
                                    ("verbs;ofi_rxm", "rocelab0", "FI_EP_RDM"),
                                    ("verbs;ofi_rxd", "rocelab0-dgram", "FI_EP_RDM")):
        if not re.search(rf"provider: {provider}\n(?:\s+fabric: .*\n)?\s+domain: {domain}\n(?:.*\n)?\s+type: {shape}\n", output):
            wrong.append(f"fi_info does not show {provider} with {shape} on {domain}")
    return wrong


def wait_until_listening(port, server):
    deadline = time.monotonic() + sides.TIMEOUT_S
    while not sides.is_listening(port):
        if server.poll() is not None or time.monotonic() > deadline:
            raise sides.Failure("the server does not listen: " + (server.stdout.read() if server.poll() is not None else ""))
        time.sleep(0.005)


def pingpong(machine, provider, endpoint, variables):
    machine.environment.update(variables)
    port = sides.free_port()
    arguments = ["-p", provider, "-e", endpoint, "-c", "-I", str(ITERATIONS)]
    before = counters(machine)
    server = machine.start("sh", ["-c", RUN, "sh", "-B", str(port), *arguments])
    wait_until_listening(port, server)
    client = machine.start("sh", ["-c", RUN, "sh", "-P", str(port), *arguments, "127.0.0.1"])
    outputs = machine.finish([server, client], ["server", "client"])
    after = counters(machine)
    sizes = DATAGRAM_SIZES if endpoint == "dgram" else SIZES
    wrong = [f"the {side} has no line for {size}" for side, output in zip(("server", "client"), outputs) for size in sizes
             if not re.search(rf"^{size}\s+{ITERATIONS}\s+={ITERATIONS}\s", output, re.MULTILINE)]
    wrong += [f"the {side} said: {line}" for side, output in zip(("server", "client"), outputs)
              for line in output.splitlines() if "corrupt" in line or "mismatch" in line]
    for side, output in zip(("server", "client"), outputs):
        excused = provider == "verbs;ofi_rxm" and output.count("[error]") == 1 and FAREWELL in output
        if "ended with 0" not in output and not excused:
            wrong.append(f"the {side} failed")
    if grown(before, after, "sent_pkts") < 2 * ITERATIONS * len(sizes):
        wrong.append(f"sent_pkts grew by {grown(before, after, 'sent_pkts')} only: the messages went another way")
    return wrong


if __name__ == "__main__":
    skip_unless(("fi_info", "libfabric-bin"), ("fi_pingpong", "libfabric-bin"))
    main(listing if sys.argv[2] == "list" else lambda machine: pingpong(
        machine, sys.argv[2], sys.argv[3], dict(word.split("=", 1) for word in sys.argv[4:])))
