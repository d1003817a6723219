"""scapy_test.py WRITE_PACKETS WORK_FOLDER: scapy, a third source, must compute the ICRCs that we sent.

Its `roce` layer knows RoCE v2 over IPv4 alone. Each such frame of write_packets is dissected, its ICRC forgotten and
built again: the bytes must be those of the frame.
"""
import os
import subprocess
import sys

SKIP = 77
SYSTEM_PYTHON = "/usr/bin/python3"  # where the distribution's package installs scapy

try:
    import logging
    logging.getLogger("scapy").setLevel(logging.ERROR)
    from scapy.contrib.roce import BTH
    from scapy.layers.inet import IP
    from scapy.utils import RawPcapNgReader
    from scapy.layers.l2 import Ether
except ImportError:
    if os.path.exists(SYSTEM_PYTHON) and not os.path.samefile(sys.executable, SYSTEM_PYTHON) \
            and "ROCELAB_SCAPY_TRIED" not in os.environ:
        os.environ["ROCELAB_SCAPY_TRIED"] = "1"
        os.execv(SYSTEM_PYTHON, [SYSTEM_PYTHON] + sys.argv)
    print("SKIP: scapy with its roce layer is not installed (Debian package python3-scapy)")
    sys.exit(SKIP)


def main(write_packets, work):
    os.makedirs(work, exist_ok=True)
    capture, table = os.path.join(work, "packets.pcapng"), os.path.join(work, "packets.tsv")
    subprocess.run([write_packets, capture, table], check=True)
    checked, failures = 0, 0
    for number, (frame, _) in enumerate(RawPcapNgReader(capture), 1):
        packet = Ether(frame)
        if IP not in packet:
            continue
        if BTH not in packet:
            print(f"packet {number}: scapy does not take it for RoCE")
            failures += 1
            continue
        packet[BTH].icrc = None
        checked += 1
        if bytes(packet) != frame:
            print(f"packet {number}: scapy builds\n  {bytes(packet).hex()}\nfrom\n  {frame.hex()}")
            failures += 1
    print(f"{checked} ICRCs computed by scapy, {failures} differences")
    return 1 if failures or not checked else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
