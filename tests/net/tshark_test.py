"""tshark_test.py WRITE_PACKETS GOLDEN_FOLDER WORK_FOLDER: what does an independent dissector see in our frames?

Every packet that write_packets makes (each opcode in RoCE v1, v2 over IPv4 and IPv6, tagged and not) must be dissected by
tshark as RoCE with the values that its table names. The captures of Linux's rxe go the same way first, so that a tshark
that knows no RoCE is told apart from a frame of ours that is wrong.
"""
import functools
import os
import shutil
import subprocess
import sys

SKIP = 77


def skip(reason):
    print("SKIP: " + reason)
    sys.exit(SKIP)


@functools.lru_cache
def guessers():
    """Those of the protocols above InfiniBand's payload that this tshark knows."""
    known = subprocess.run(["tshark", "-G", "protocols"], capture_output=True, text=True, check=True).stdout
    names = {line.split("\t")[2] for line in known.splitlines() if line.count("\t") >= 2}
    return sorted(names & {"rpcordma", "smb_direct", "nvme-rdma", "iser", "lnet", "smc", "infiniband_sdp"})


def tshark(capture, fields):
    """One list of values a packet; a missing field is an empty string. Protocols that guess from a payload's first bytes
    are off: payloads are random here."""
    command = ["tshark", "-n", "-r", capture, "-T", "fields", "-E", "separator=/t", "-E", "occurrence=f"]
    for protocol in guessers():
        command += ["--disable-protocol", protocol]
    for field in fields:
        command += ["-e", field]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"tshark can't read {capture}:\n{run.stderr}")
    return [line.split("\t") for line in run.stdout.split("\n")[:-1]]


def number(text, field):
    """tshark prints numbers as decimal, hexadecimal, True/False, or raw bytes."""
    if text in ("True", "False"):
        return int(text == "True")
    if field in ("infiniband.immdt", "infiniband.ieth"):
        return int(text.replace(":", ""), 16)
    return int(text, 0)


def compare(expected, seen, fields):
    """Descriptions of what differs in one packet."""
    for field, want, have in zip(fields, expected, seen):
        if want == "*" or (want == "" and have == ""):
            continue
        if want == "" or have == "" or number(have, field) != int(want):
            yield f"{field}: expected {want or 'nothing'}, tshark says {have or 'nothing'}"


def main(write_packets, golden, work):
    if shutil.which("tshark") is None:
        skip("tshark is not installed (Debian package tshark)")
    os.makedirs(work, exist_ok=True)
    for name in ("rc_send.pcap", "ud_send.pcap"):
        for row in tshark(os.path.join(golden, name), ["infiniband.bth.opcode"]):
            if row == [""]:
                skip("this tshark does not dissect RoCE v2")

    capture, table = os.path.join(work, "packets.pcapng"), os.path.join(work, "packets.tsv")
    subprocess.run([write_packets, capture, table], check=True)
    with open(table, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    fields, expected = rows[0], rows[1:]
    seen = tshark(capture, fields)
    failures = []
    if len(seen) != len(expected):
        failures.append(f"{len(expected)} packets were written, tshark reads {len(seen)}")
    for index, (want, have) in enumerate(zip(expected, seen), 1):
        failures += [f"packet {index}: {text}" for text in compare(want, have, fields)]
    names = {"0x8915": "RoCE", "0x0800": "RRoCE", "0x86dd": "RRoCE"}  # tshark's names of v1 and v2
    count = {}
    for index, (ethernet, tagged, protocol) in enumerate(tshark(capture, ["eth.type", "vlan.etype", "_ws.col.Protocol"]), 1):
        count[protocol] = count.get(protocol, 0) + 1
        if protocol != names[tagged or ethernet]:
            failures.append(f"packet {index}: Ethertype {tagged or ethernet}, and tshark takes it for {protocol}")
    for failure in failures[:40]:
        print(failure)
    print(f"{len(seen)} packets dissected as {count}, {len(failures)} differences")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
