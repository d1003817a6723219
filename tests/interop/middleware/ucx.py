"""UCX over rocelab: ucx.py ROCELAB MODE. `list`: ucx_info shows our device and its transports. `rc_verbs`, `ud_verbs`: the
tests of ucx_perftest between two processes, and that their messages were ours."""
import os
import re
import sys

from machine import counters, grown, main, skip_unless

# What a line of the batch file may be: a name, the test, its options. Sizes on both sides of the eager limits.
MESSAGES = """
tag8 -t tag_lat -s 8
tag_large -t tag_lat -s 1048576 -n 30
tag_bandwidth -t tag_bw -s 65536 -n 100
tag_sync -t tag_sync_lat -s 64
stream -t stream_lat -s 64
stream_bandwidth -t stream_bw -s 16384 -n 200
am8 -t ucp_am_lat -s 8
am_large -t ucp_am_lat -s 262144 -n 50
put8 -t ucp_put_lat -s 8
put_bandwidth -t ucp_put_bw -s 65536 -n 100
get -t ucp_get -s 4096
add -t ucp_add -s 8
fetch_add -t ucp_fadd -s 8
fetch_add32 -t ucp_fadd -s 4
swap -t ucp_swap -s 8
compare_swap -t ucp_cswap -s 8
"""
TRANSPORTS = {"rc_verbs": "rc_verbs,ud_verbs,self", "ud_verbs": "ud_verbs,self"}  # RC connects over UD
# What the tests above must at least have sent through our ports; of it, the 1 MiB messages alone are 60 MiB.
PACKETS_MIN, BYTES_MIN = 16 * 300, 60 << 20


def listing(machine):
    output = machine.run_alone("ucx_info", ["-d"])
    wrong = []
    for transport in ("rc_verbs", "ud_verbs"):
        section = re.search(rf"Transport: {transport}\n#\s+Device: (\S+)", output)
        if not section or section[1] != "rocelab0:1":
            wrong.append(f"ucx_info -d does not show {transport} on rocelab0:1")
    return wrong


def messages(machine, transport):
    machine.environment.update(UCX_NET_DEVICES="rocelab0:1", UCX_TLS=TRANSPORTS[transport], UCX_LOG_LEVEL="warn")
    batch = os.path.join(machine.folder, "batch")
    with open(batch, "w", encoding="ascii") as file:
        file.write(MESSAGES.lstrip())
    os.chmod(batch, 0o644)
    before = counters(machine)
    outputs = machine.run_pair("ucx_perftest", ["-b", batch, "-n", "300", "-w", "5", "-f", "-v"])
    after = counters(machine)
    print({name: grown(before, after, name) for name in after if grown(before, after, name)})
    wrong = [f"{name} said: {line}" for name, output in zip(("server", "client"), outputs)
             for line in output.splitlines() if re.search(r"UCX\s+(WARN|ERROR|FATAL)|Assertion", line)]
    for line in MESSAGES.split("\n"):
        if line and not re.search(rf"^{line.split()[0]},", outputs[1], re.MULTILINE):
            wrong.append(f"no result of `{line}`")
    for name, least in (("sent_pkts", PACKETS_MIN), ("sent_bytes", BYTES_MIN)):
        if grown(before, after, name) < least:
            wrong.append(f"{name} grew by {grown(before, after, name)} only, expected {least}: messages went another way")
    return wrong


if __name__ == "__main__":
    skip_unless(("ucx_info", "ucx-utils"), ("ucx_perftest", "ucx-utils"))
    main(listing if sys.argv[2] == "list" else lambda machine: messages(machine, sys.argv[2]))
